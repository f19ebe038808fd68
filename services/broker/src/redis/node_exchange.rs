//! What nodes tell each other in the shared store: after each renewal of its lease, a node publishes all of it and reads what the
//! others say, in one script. A text ends with the lease of its node, by Redis' own clock. Not what the texts mean
//! (`node_records`, `cluster_load`, `tenant_usage`).
//!
//! One hash has the records with the loads, another one the usage of tenants. In a large cluster a node publishes in each turn, but
//! reads in every second one or less: all nodes together would read the square of their number.

use std::{sync::Arc, time::Instant};

use redis::{Cmd, Pipeline};
use switchboard_core::ClusterLoad;
use switchboard_telemetry::RedisOp;

use super::{
    cluster_load::LoadExchange,
    node_reading::Reading,
    node_records::RecordExchange,
    periods::{LEASE, millis},
    pool,
    scripts::Script,
    shard::state::Shard,
    tenant_usage::UsageExchange,
    topology::Topology,
};

/// A node reads in every turn if there are at most so many others; with twice as many, in every second turn.
const NODES_PER_TURN: usize = 100;

/// What nodes exchange.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    pub(crate) load: LoadExchange,
    pub(crate) usage: UsageExchange,
    pub(crate) records: RecordExchange,
}

/// After how many turns a node reads again that has read the texts of so many others.
fn turns_until_next(others: usize) -> u32 {
    let turns = others.div_ceil(NODES_PER_TURN).max(1);
    u32::try_from(turns).unwrap_or(u32::MAX)
}

/// Exchanges after each renewal of the lease on the shard for nodes, until it is dropped.
pub(crate) async fn run(exchanges: Arc<Exchanges>, topology: Arc<Topology>) {
    let mut changes = topology.changes();
    let mut turns_left = 0;
    loop {
        let shard = topology.shard_of_nodes();
        tokio::select! {
            () = shard.lease_renewed.notified() => {}
            // Another shard may be the one now. The topology, which tells, is held here.
            _ = changes.changed() => {
                turns_left = 0;
                continue;
            }
        }
        turns_left = exchange_once(&exchanges, &shard, turns_left).await;
    }
}

/// Exchanges once, and reads if no turns are left. How many turns are left then. A failure loses only this exchange: what was
/// received before stays valid for a while.
async fn exchange_once(exchanges: &Exchanges, shard: &Shard, turns_left: u32) -> u32 {
    let (at, reads) = (Instant::now(), turns_left == 0);
    let load = exchanges.load.to_publish();
    let record = exchanges.records.to_publish(load);
    let usage = exchanges.usage.to_publish();
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(call(shard, reads, &record, usage.as_deref()));
    let reply = pool::query::<(Vec<Vec<String>>,)>(&shard.pool, &pipeline).await;
    shard
        .telemetry
        .redis_command(RedisOp::NodeExchange, at.elapsed(), reply.is_ok());
    let mut texts = match reply {
        Ok((texts,)) => texts.into_iter(),
        Err(error) => {
            tracing::debug!(%error, "what other nodes say could not be read");
            return 0;
        }
    };
    if !reads {
        exchanges.load.on_published(load);
        return turns_left - 1;
    }
    let records = texts.next().unwrap_or_default();
    let every = turns_until_next(records.len());
    let reading = Reading { at, every };
    exchanges.load.on_read(reading, load, &records);
    exchanges.records.on_read(reading, &records);
    if let Some(usages) = texts.next() {
        exchanges.usage.on_read(reading, &usages);
    }
    every - 1
}

/// Without `usage` that of others is not read.
fn call(shard: &Shard, reads: bool, record: &str, usage: Option<&str>) -> Cmd {
    let names = &shard.caller.names;
    let keys = 1 + usize::from(usage.is_some());
    let mut call = shard.caller.scripts.call(Script::ExchangeNodes, keys, true);
    call.arg(names.node_records());
    if usage.is_some() {
        call.arg(names.tenant_usage());
    }
    call.arg(shard.node().as_str())
        .arg(millis(LEASE))
        .arg(ClusterLoad::MAX_NODES)
        .arg(u8::from(reads))
        .arg(record)
        .arg(usage);
    call
}

/// Withdraws what this node has published, at its end.
///
/// # Errors
/// Why Redis did not take it, for people.
pub(crate) async fn withdraw(shard: &Shard) -> Result<(), String> {
    let names = &shard.caller.names;
    let hashes = [names.tenant_usage(), names.node_records()];
    let mut pipeline = Pipeline::with_capacity(hashes.len());
    for hash in hashes {
        pipeline.cmd("HDEL").arg(hash).arg(shard.node().as_str());
    }
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_reads_less_often_the_more_others_there_are() {
        let turns = [0, 1, 100, 101, 499, 500, 1_023].map(turns_until_next);
        assert_eq!(turns, [1, 1, 1, 2, 5, 5, 11]);
    }
}
