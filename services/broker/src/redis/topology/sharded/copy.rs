//! Copies what no living node writes again from the old servers of partitions that have moved: detached sessions, their ends,
//! and stored messages. One node does it, right after the change. Live peers and rooms are written again by their nodes. What
//! was left on the old servers is removed once every node has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use redis::{Pipeline, Value};
use tokio::time::sleep;

use super::map::{ServerMap, moving};
use crate::{
    partition::{Partition, PartitionSet},
    redis::{
        periods::{LEASE, millis},
        pool,
        shard::state::Shard,
    },
};

/// Keys that Redis visits for one SCAN.
const SCAN_COUNT: usize = 512;

/// How long the node that copies keeps others from it.
const LOCK: Duration = Duration::from_secs(60);

/// After this time no living node uses the old servers of these partitions any more: a node that has not changed by then has
/// lost its lease.
const REMOVE_AFTER: Duration = LEASE.saturating_mul(2);

/// A key, as DUMP gives it, and the time that it has to live, in milliseconds; negative: without end.
type Dumped = (Option<Vec<u8>>, i64);

/// What has moved away from one server.
struct Moved<'a> {
    old: &'a Arc<Shard>,
    partitions: PartitionSet,
    /// The number of servers in use. Once it is another one, the partitions may be back.
    in_use: usize,
}

/// One node copies, and all remove later: a node that has ended meanwhile leaves nothing. Of `shards`, the first `before` were in
/// use, and the first `in_use` are now.
pub(super) async fn run(shards: &[Arc<Shard>], before: usize, in_use: usize) {
    let (moving, old_map) = (moving(before, in_use), ServerMap::new(before));
    let moved = shards.iter().take(before).enumerate().map(|(server, old)| Moved {
        old,
        partitions: (moving.iter())
            .filter(|partition| old_map.server_of(*partition) == server)
            .collect(),
        in_use,
    });
    let moved: Vec<_> = moved.filter(|moved| !moved.partitions.is_empty()).collect();
    if matches!(lock(shards, in_use).await, Ok(true)) {
        copy_all(&moved, shards).await;
    }
    sleep(REMOVE_AFTER).await;
    for moved in &moved {
        if let Err(why) = remove(moved).await {
            tracing::debug!(
                why,
                "what has moved to another Redis server was not removed from the old one"
            );
        }
    }
}

async fn copy_all(moved: &[Moved<'_>], shards: &[Arc<Shard>]) {
    for moved in moved {
        let server = moved.old.health.server();
        match copy(moved, shards).await {
            Ok(keys) => tracing::info!(
                server,
                keys,
                "detached sessions and stored messages are on their new Redis server"
            ),
            Err(why) => tracing::warn!(
                server,
                why,
                "detached sessions and stored messages could not be copied to their new Redis server: their resumes are refused"
            ),
        }
    }
}

/// One node copies.
async fn lock(shards: &[Arc<Shard>], in_use: usize) -> Result<bool, String> {
    let first = shards.first().ok_or("no servers")?;
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("SET")
        .arg(first.caller.names.copying(in_use))
        .arg(first.lease.incarnation())
        .arg("NX")
        .arg("PX")
        .arg(millis(LOCK));
    let (taken,): (Value,) = pool::query(&first.pool, &pipeline).await?;
    Ok(taken != Value::Nil)
}

/// The keys of moved partitions on one page of SCAN, each with its partition and kind; and the next cursor.
async fn scan(moved: &Moved<'_>, cursor: &str) -> Result<(String, Vec<(Partition, String, String)>), String> {
    let Moved {
        old,
        partitions,
        in_use,
    } = moved;
    let names = &old.caller.names;
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline
        .cmd("SCAN")
        .arg(cursor)
        .arg("MATCH")
        .arg(names.partition_pattern())
        .arg("COUNT")
        .arg(SCAN_COUNT)
        .cmd("HGET")
        .arg(names.servers())
        .arg("in_use");
    let ((next, keys), now): ((String, Vec<String>), Option<usize>) =
        pool::query(&old.pool, &pipeline).await?;
    if now != Some(*in_use) {
        return Err(format!("{now:?} Redis servers are in use, and not {in_use}"));
    }
    let keys = keys.into_iter().filter_map(|key| {
        let (tag, kind) = names.tag_and_kind(&key)?;
        let partition = Partition::of_tag(tag).filter(|partition| partitions.contains(*partition))?;
        let kind = kind.to_owned();
        Some((partition, kind, key))
    });
    Ok((next, keys.collect()))
}

/// Copies from one server; how many keys.
async fn copy(moved: &Moved<'_>, shards: &[Arc<Shard>]) -> Result<usize, String> {
    let (old, map) = (moved.old, ServerMap::new(moved.in_use));
    let mut cursor = "0".to_owned();
    let mut copied = 0;
    loop {
        let (next, found) = scan(moved, &cursor).await?;
        let attached = attached_among(old, &found).await?;
        let mut to_copy: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (partition, kind, key) in found {
            let to = map.server_of(partition);
            match kind.as_str() {
                "s" if attached.contains(&key) => {}
                // A record, an offline queue, what a tenant holds.
                "s" | "m" | "h" => to_copy.entry(to).or_default().push(key),
                "e" => copy_ends(old, &shards[to], &key).await?,
                _ => {}
            }
        }
        for (to, keys) in to_copy {
            copied += copy_keys(old, &shards[to], &keys).await?;
        }
        if next == "0" {
            return Ok(copied);
        }
        cursor = next;
    }
}

/// The records of attached peers: their owners write them themselves.
async fn attached_among(
    old: &Shard,
    found: &[(Partition, String, String)],
) -> Result<BTreeSet<String>, String> {
    let records: Vec<&String> = (found.iter().filter(|(_, kind, _)| kind == "s"))
        .map(|(_, _, key)| key)
        .collect();
    if records.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut pipeline = Pipeline::with_capacity(records.len());
    for record in &records {
        pipeline.cmd("HGET").arg(record).arg("state");
    }
    let states: Vec<Option<String>> = pool::query(&old.pool, &pipeline).await?;
    let attached = records.into_iter().zip(states);
    let attached = attached.filter(|(_, state)| state.as_deref() == Some("attached"));
    Ok(attached.map(|(record, _)| record.clone()).collect())
}

/// Copies keys that the new server does not have; how many.
async fn copy_keys(old: &Shard, new: &Shard, keys: &[String]) -> Result<usize, String> {
    let mut dump = Pipeline::with_capacity(2 * keys.len());
    for key in keys {
        dump.cmd("DUMP").arg(key).cmd("PTTL").arg(key);
    }
    let replies: Vec<Value> = pool::query(&old.pool, &dump).await?;
    let mut restore = Pipeline::with_capacity(keys.len());
    for (key, dumped) in keys.iter().zip(replies.chunks(2)) {
        let dumped = Value::Array(dumped.to_vec());
        let (dump, ttl_ms): Dumped = redis::from_redis_value(dumped).map_err(|error| error.to_string())?;
        if let Some(dump) = dump {
            restore.cmd("RESTORE").arg(key).arg(ttl_ms.max(0)).arg(dump);
        }
    }
    if restore.is_empty() {
        return Ok(0);
    }
    let replies = pool::send(&new.pool, &restore).await?;
    let mut copied = 0;
    for reply in replies {
        if let Value::ServerError(error) = reply {
            // A busy key: its peer has come back meanwhile.
            if error.code() != "BUSYKEY" {
                return Err(format!(
                    "{} {}",
                    error.code(),
                    error.details().unwrap_or_default()
                ));
            }
        } else {
            copied += 1;
        }
    }
    Ok(copied)
}

/// Adds the ends of detached sessions to those that the new server has.
async fn copy_ends(old: &Shard, new: &Shard, key: &str) -> Result<(), String> {
    let mut read = Pipeline::with_capacity(1);
    read.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES");
    let (ends,): (Vec<(Vec<u8>, f64)>,) = pool::query(&old.pool, &read).await?;
    if ends.is_empty() {
        return Ok(());
    }
    let mut write = Pipeline::with_capacity(1);
    write.cmd("ZADD").arg(key).arg("NX");
    for (session, at_ms) in ends {
        write.arg(at_ms).arg(session);
    }
    pool::query::<(u64,)>(&new.pool, &write).await.map(drop)
}

async fn remove(moved: &Moved<'_>) -> Result<(), String> {
    let mut cursor = "0".to_owned();
    loop {
        let (next, found) = scan(moved, &cursor).await?;
        if !found.is_empty() {
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.cmd("UNLINK");
            for (_, _, key) in found {
                pipeline.arg(key);
            }
            pool::query::<(u64,)>(&moved.old.pool, &pipeline).await?;
        }
        if next == "0" {
            return Ok(());
        }
        cursor = next;
    }
}
