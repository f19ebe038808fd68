//! Members that dead runs of nodes left in rooms: one node removes them, and the rooms learn it. A run knows its rooms
//! (`keys`), so the cost is that of these rooms. Not the records of peers (`sweep`).

use std::time::Duration;

use redis::{Pipeline, Value};
use switchboard_core::{BrokerEvents, RoomEntry, RoomLeave};
use switchboard_protocol::{LeaveReason, PeerId, RoomKey};

use super::state::Shard;
use crate::{
    partition::Partition,
    redis::{command::rooms, periods::millis, pool},
};

/// Rooms, or fields of a room, that Redis visits at once.
const SCAN_COUNT: usize = 256;

/// How long a node that removes members keeps the others from doing so.
const LOCK: Duration = Duration::from_secs(5);

/// A page of a scan, and where the next one begins.
type Page<T> = (String, T);

/// Removes the members of the run `dead`. False if another node is doing so, or some are in a slot that moves.
///
/// # Errors
/// Why it was cut short, for people. Another node goes on when the lock of this one has run out.
pub(crate) async fn run(shard: &Shard, events: &dyn BrokerEvents, dead: &str) -> Result<bool, String> {
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("SET")
        .arg(shard.caller.names.room_sweep(dead))
        .arg(shard.lease.incarnation())
        .arg("NX")
        .arg("PX")
        .arg(millis(LOCK));
    let (taken,): (Value,) = pool::query(&shard.pool, &pipeline).await?;
    if taken == Value::Nil {
        return Ok(false);
    }
    let (partitions, are_all) = with_rooms(shard, dead).await?;
    let mut removed = 0;
    for partition in partitions {
        removed += sweep_partition(shard, events, dead, partition).await?;
    }
    if removed > 0 {
        tracing::info!(node = %shard.node(), server = shard.health.server(), members = removed, "members that a dead node left in rooms were removed");
    }
    Ok(are_all)
}

/// The partitions in which the run has rooms, and whether Redis answered for all.
async fn with_rooms(shard: &Shard, dead: &str) -> Result<(Vec<Partition>, bool), String> {
    let all: Vec<Partition> = shard.served.set().iter().collect();
    if all.is_empty() {
        return Ok((all, true));
    }
    let mut pipeline = Pipeline::with_capacity(all.len());
    for partition in &all {
        pipeline
            .cmd("EXISTS")
            .arg(shard.caller.names.run_rooms(*partition, dead));
    }
    let replies = pool::send(&shard.pool, &pipeline).await?;
    pool::note_refusal(&shard.pool, &replies);
    let are_all = !replies.iter().any(|reply| matches!(reply, Value::ServerError(_)));
    let partitions = all.into_iter().zip(replies);
    let partitions = partitions.filter(|(_, exists)| *exists == Value::Int(1));
    Ok((partitions.map(|(partition, _)| partition).collect(), are_all))
}

async fn sweep_partition(
    shard: &Shard,
    events: &dyn BrokerEvents,
    dead: &str,
    partition: Partition,
) -> Result<usize, String> {
    let list = shard.caller.names.run_rooms(partition, dead);
    let (mut cursor, mut removed) = ("0".to_owned(), 0);
    loop {
        let (next, keys): Page<Vec<String>> = scan(shard, "SSCAN", &list, &cursor).await?;
        for room in keys.iter().filter_map(|key| RoomKey::parse(key).ok()) {
            removed += sweep_room(shard, events, dead, &room).await?;
        }
        if next == "0" {
            break;
        }
        cursor = next;
    }
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.cmd("DEL").arg(list);
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await?;
    Ok(removed)
}

async fn sweep_room(
    shard: &Shard,
    events: &dyn BrokerEvents,
    dead: &str,
    room: &RoomKey,
) -> Result<usize, String> {
    let key = shard
        .caller
        .names
        .room(Partition::of(room.as_str()), room.as_str());
    let (mut cursor, mut removed) = ("0".to_owned(), 0);
    loop {
        let (next, fields): Page<Vec<(String, String)>> = scan(shard, "HSCAN", &key, &cursor).await?;
        let members = fields
            .iter()
            .filter_map(|(peer, value)| rooms::read_entry(peer, value));
        let members = members.filter(|(_, run)| *run == dead);
        let peers: Vec<PeerId> = members.map(|(member, _)| member.peer).collect();
        removed += remove(shard, events, dead, room, &peers).await?;
        if next == "0" {
            return Ok(removed);
        }
        cursor = next;
    }
}

async fn remove(
    shard: &Shard,
    events: &dyn BrokerEvents,
    dead: &str,
    room: &RoomKey,
    peers: &[PeerId],
) -> Result<usize, String> {
    if peers.is_empty() {
        return Ok(0);
    }
    let mut pipeline = Pipeline::with_capacity(peers.len());
    for (index, peer) in peers.iter().enumerate() {
        // The first call makes Redis know the script.
        pipeline.add_command(rooms::write_removal(&shard.caller, room, peer, dead, index == 0));
    }
    let replies: Vec<Value> = pool::query(&shard.pool, &pipeline).await?;
    let mut removed = 0;
    for (peer, reply) in peers.iter().zip(replies) {
        let leave = RoomLeave {
            room: room.clone(),
            peer: peer.clone(),
            entry: RoomEntry::Any,
            reason: LeaveReason::Lost,
        };
        // The note in the peer's record stays: a node that resumes the session enters the room again.
        if let Some((left, _)) = rooms::read_left(&leave, &reply) {
            removed += 1;
            shard.tenant_rooms.add(room.tenant(), -i64::from(left.is_last));
            events.on_room_left(room, left);
        }
    }
    Ok(removed)
}

async fn scan<T: redis::FromRedisValue>(
    shard: &Shard,
    command: &str,
    key: &[u8],
    cursor: &str,
) -> Result<Page<T>, String> {
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd(command)
        .arg(key)
        .arg(cursor)
        .arg("COUNT")
        .arg(SCAN_COUNT);
    let (page,) = pool::query(&shard.pool, &pipeline).await?;
    Ok(page)
}
