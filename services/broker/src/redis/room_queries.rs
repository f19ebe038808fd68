//! Questions about rooms: the members of one, which rooms a tenant has, which ones a peer is in. Off the way of messages,
//! but on the publisher's connection, so that they see what this node has done before. Not the changes (`shard::rooms`).

use std::sync::Arc;

use futures_util::future::try_join_all;
use redis::{Cmd, FromRedisValue};
use switchboard_core::{BrokerError, RoomPage, RoomQuery, Roster};
use switchboard_protocol::{PeerId, PeerKey, RoomId, RoomKey};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::{
    command::{Command, rooms},
    shard::state::Shard,
    topology::Topology,
};
use crate::partition::{PARTITIONS, Partition};

/// Partitions that are asked at once for their rooms.
const PARTITIONS_AT_ONCE: usize = 32;

/// Rooms in one page, at most.
const MAX_PAGE: usize = 1_000;

/// The members of `room`.
pub(crate) async fn roster(shard: &Arc<Shard>, room: &RoomKey) -> Result<Roster, BrokerError> {
    let fields = ask(shard, of(room), rooms::write_read(&shard.caller, room)).await?;
    let (roster, creation) = rooms::read_roster(fields);
    is_settled(shard, room, creation).await?;
    Ok(roster)
}

/// Whether `peer` is in `room`. Reads one member, however many there are.
pub(crate) async fn has_member(
    shard: &Arc<Shard>,
    room: &RoomKey,
    peer: &PeerId,
) -> Result<bool, BrokerError> {
    let call = rooms::write_read_member(&shard.caller, room, peer);
    let (member, creation): (Option<String>, Option<u64>) = ask(shard, of(room), call).await?;
    is_settled(shard, room, creation.unwrap_or_default()).await?;
    Ok(member.is_some())
}

/// The rooms that the record of `peer` notes.
pub(crate) async fn rooms_of(shard: &Arc<Shard>, peer: &PeerKey) -> Result<Vec<RoomId>, BrokerError> {
    let partition = Partition::of(peer.as_str());
    let fields: Vec<Vec<u8>> = ask(shard, partition, rooms::write_read_notes(&shard.caller, peer)).await?;
    is_complete(shard, Some(partition)).await?;
    let notes = fields.iter();
    Ok(notes.filter_map(|field| rooms::read_note_name(field)).collect())
}

/// Some rooms of a tenant, partition by partition, and in each in the order of their names.
pub(crate) async fn list(topology: &Topology, query: RoomQuery) -> Result<RoomPage, BrokerError> {
    let limit = query.limit.min(MAX_PAGE);
    let (first, mut after) = match &query.after {
        Some(cursor) => read_cursor(cursor).ok_or(BrokerError::BadCursor)?,
        None => (0, None),
    };
    let mut found: Vec<(usize, RoomId)> = Vec::new();
    let all: Vec<usize> = (first..PARTITIONS as usize).collect();
    for some in all.chunks(PARTITIONS_AT_ONCE) {
        let asked = some.iter().map(|index| {
            let partition = Partition::from_index(*index);
            let shard = topology.shard_of(partition);
            // Only the first partition goes on behind a room.
            let call = write_list(&shard, partition, &query, after.take(), limit + 1);
            async move { ask::<Vec<String>>(&shard, partition, call).await }
        });
        for (index, names) in some.iter().zip(try_join_all(asked).await?) {
            found.extend(
                names
                    .iter()
                    .filter_map(|name| Some((*index, RoomId::new(name).ok()?))),
            );
        }
        if found.len() > limit {
            break;
        }
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|(partition, room)| format!("{partition}:{room}"));
    let counted = found
        .into_iter()
        .map(|(_, room)| count(topology, &query.tenant, room));
    let rooms = try_join_all(counted).await?;
    for shard in topology.shards() {
        is_complete(&shard, None).await?;
    }
    // A room may have ended in between.
    let rooms = rooms.into_iter().filter(|(_, members)| *members > 0).collect();
    Ok(RoomPage { rooms, next })
}

/// Whether what was read of `room` can be believed. If Redis has lost the room, this node's members are written again.
async fn is_settled(shard: &Arc<Shard>, room: &RoomKey, creation: u64) -> Result<(), BrokerError> {
    shard.at(of(room), |shard, tables| {
        if tables.rooms.is_lost(room, creation) {
            tracing::warn!(node = %shard.node(), server = shard.health.server(), "Redis lost a room of this node's peers: all are written again");
            shard.records_lost(tables);
        }
    });
    is_complete(shard, Some(of(room))).await
}

fn of(room: &RoomKey) -> Partition {
    Partition::of(room.as_str())
}

/// Whether the records of rooms in `partition`, or of all, can be believed: after a loss, all nodes have had the time to write their members again.
async fn is_complete(shard: &Arc<Shard>, partition: Option<Partition>) -> Result<(), BrokerError> {
    shard.prove_absence(partition).await?;
    if shard.tables.lock().rooms.due() > 0 {
        return Err(BrokerError::Unsettled);
    }
    Ok(())
}

fn write_list(
    shard: &Shard,
    partition: Partition,
    query: &RoomQuery,
    after: Option<String>,
    limit: usize,
) -> Cmd {
    let RoomQuery { tenant, prefix, .. } = query;
    let from = match after {
        Some(after) if after >= *prefix => format!("({after}"),
        Some(_) | None => format!("[{prefix}"),
    };
    // Behind every name that begins with the prefix: names are ASCII.
    let to = format!("({prefix}\u{7f}");
    let mut call = redis::cmd("ZRANGEBYLEX");
    call.arg(shard.caller.names.tenant_rooms(partition, tenant))
        .arg(from)
        .arg(to)
        .arg("LIMIT")
        .arg(0)
        .arg(limit);
    call
}

async fn count(topology: &Topology, tenant: &str, room: RoomId) -> Result<(RoomId, u64), BrokerError> {
    let key = RoomKey::new(tenant, &room);
    let partition = Partition::of(key.as_str());
    let shard = topology.shard_of(partition);
    let mut call = redis::cmd("HLEN");
    call.arg(shard.caller.names.room(partition, key.as_str()));
    let fields = ask(&shard, partition, call).await?;
    Ok((room, rooms::members(fields)))
}

/// Where the next page begins: `<partition>:<last room>`.
fn read_cursor(cursor: &str) -> Option<(usize, Option<String>)> {
    let (partition, room) = cursor.split_once(':')?;
    let partition = partition
        .parse()
        .ok()
        .filter(|index| *index < PARTITIONS as usize)?;
    Some((partition, Some(RoomId::new(room).ok()?.to_string())))
}

/// Sends `call` on keys of `partition` and reads its reply.
pub(crate) async fn ask<T: FromRedisValue>(
    shard: &Shard,
    partition: Partition,
    call: Cmd,
) -> Result<T, BrokerError> {
    let (answer, reply) = oneshot::channel();
    shard.send(Command::Query {
        operation: RedisOp::Room,
        partition: Some(partition),
        call: Box::new(call),
        answer,
    })?;
    // Without an answer the publisher is gone.
    let reply = reply.await.unwrap_or(Err(BrokerError::Unavailable))?;
    redis::from_redis_value(reply).map_err(|_| BrokerError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_behind_a_room_of_a_partition() {
        assert_eq!(read_cursor("7:a:b"), Some((7, Some("a:b".to_owned()))));
        for cursor in ["", "7", "7:", "256:a", "x:a", "7:a b"] {
            assert_eq!(read_cursor(cursor), None, "{cursor}");
        }
    }
}
