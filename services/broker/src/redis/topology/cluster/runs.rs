//! The lists of the runs of nodes, when partitions of a Redis Cluster have moved: a list moves with the tag in its name, away from
//! records of the same runs. Every shard gets every run that any list names, so no dead run is forgotten with records of it left.
//! Not the search for what dead runs left (`shard::sweep`).

use std::{collections::BTreeMap, sync::Arc};

use redis::{Pipeline, Value};

use super::super::table::Topology;
use crate::{
    partition::Partition,
    redis::{pool, shard::state::Shard},
};

/// Runs and their nodes.
type Runs = BTreeMap<String, String>;

/// Ended runs, and when their members have to be back, in seconds of Redis' clock.
type Ended = BTreeMap<String, u64>;

/// Notes on each shard the runs that lists of any partition name. False if shards or partitions were left out, because they are
/// away or move: then it has to be done again.
///
/// # Errors
/// Why a shard was not asked, for people.
pub(super) async fn spread(topology: &Arc<Topology>) -> Result<bool, String> {
    let mut shards = topology.shards();
    let all = shards.len();
    // One that is down keeps nobody from the dead runs on the others.
    shards.retain(|shard| shard.health.is_connected());
    let mut is_complete = shards.len() == all;
    let mut lists = Vec::new();
    for shard in &shards {
        let (read, are_all) = read(shard).await?;
        is_complete &= are_all;
        lists.push(read);
    }
    let (mut runs, mut ended) = (Runs::new(), Ended::new());
    for list in lists.iter().flatten() {
        runs.extend(list.runs.clone());
        ended.extend(list.ended.clone());
    }
    for shard in &shards {
        write(shard, &runs, &ended).await?;
    }
    for (shard, lists) in shards.iter().zip(&lists) {
        forget(shard, lists).await?;
    }
    Ok(is_complete)
}

/// The lists with the tag of one partition.
struct Lists {
    partition: Partition,
    runs: Runs,
    ended: Ended,
}

/// What the lists with the tags of this shard's partitions name, and whether Redis answered for all of them.
async fn read(shard: &Shard) -> Result<(Vec<Lists>, bool), String> {
    let served = shard.served.set();
    if served.is_empty() {
        return Ok((Vec::new(), true));
    }
    let mut pipeline = Pipeline::with_capacity(2 * served.len());
    for partition in served.iter() {
        let names = shard.caller.names.in_cluster(partition);
        pipeline.cmd("HGETALL").arg(names.runs());
        pipeline
            .cmd("ZRANGE")
            .arg(names.ended_runs())
            .arg(0)
            .arg(-1)
            .arg("WITHSCORES");
    }
    let replies = pool::send(&shard.pool, &pipeline).await?;
    pool::note_refusal(&shard.pool, &replies);
    let mut lists = Vec::new();
    for (partition, pair) in served.iter().zip(replies.chunks_exact(2)) {
        if pair.iter().any(|reply| matches!(reply, Value::ServerError(_))) {
            continue;
        }
        let unreadable = |error: redis::ParsingError| error.to_string();
        lists.push(Lists {
            partition,
            runs: redis::from_redis_value_ref(&pair[0]).map_err(unreadable)?,
            ended: redis::from_redis_value_ref(&pair[1]).map_err(unreadable)?,
        });
    }
    let are_all = lists.len() == served.len();
    Ok((lists, are_all))
}

async fn write(shard: &Shard, runs: &Runs, ended: &Ended) -> Result<(), String> {
    let names = &shard.caller.names;
    let mut pipeline = Pipeline::with_capacity(2);
    if !runs.is_empty() {
        pipeline.cmd("HSET").arg(names.runs());
        for (run, node) in runs {
            pipeline.arg(run).arg(node);
        }
    }
    if !ended.is_empty() {
        pipeline.cmd("ZADD").arg(names.ended_runs());
        for (run, until) in ended {
            pipeline.arg(until).arg(run);
        }
    }
    if pipeline.is_empty() {
        return Ok(());
    }
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await.map(drop)
}

/// Removes what the lists of other tags than the home's named: it is in the home's now.
async fn forget(shard: &Shard, lists: &[Lists]) -> Result<(), String> {
    let mut pipeline = Pipeline::new();
    for list in lists
        .iter()
        .filter(|list| Some(list.partition) != shard.caller.names.home())
    {
        let names = shard.caller.names.in_cluster(list.partition);
        if !list.runs.is_empty() {
            pipeline
                .cmd("HDEL")
                .arg(names.runs())
                .arg(list.runs.keys().collect::<Vec<_>>());
        }
        if !list.ended.is_empty() {
            pipeline
                .cmd("ZREM")
                .arg(names.ended_runs())
                .arg(list.ended.keys().collect::<Vec<_>>());
        }
    }
    if pipeline.is_empty() {
        return Ok(());
    }
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await.map(drop)
}
