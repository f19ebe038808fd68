//! How many connections each node has. After each renewal of its lease, a node publishes its own number and reads
//! those of the others, in one script. Not the conclusions (`switchboard_core::RebalancePolicy`).
//!
//! All of it is one small hash: a field for each node, with its number and the end of its validity by Redis' own
//! clock, so that no two nodes' clocks are compared. The script removes fields past their end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_core::ClusterLoad;
use switchboard_telemetry::RedisOp;

use super::{
    periods::{LEASE, RENEW_EVERY, millis},
    pool,
    scripts::Script,
    shard::state::Shard,
    tenant_usage::{self, UsageExchange},
};

/// A received load is valid for two renewals and some delay.
const VALID_FOR: Duration = RENEW_EVERY
    .saturating_mul(2)
    .saturating_add(Duration::from_secs(1));

/// The number that this node publishes, and the load it last received.
#[derive(Debug, Default)]
pub(crate) struct LoadExchange(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    own: Option<usize>,
    /// The number published the last time, if any.
    published: Option<usize>,
    received: Option<(Instant, ClusterLoad)>,
}

impl LoadExchange {
    /// Takes the number to publish next, and gives the load received, while it is valid.
    pub(crate) fn exchange(&self, own: Option<usize>) -> Option<ClusterLoad> {
        let mut state = self.0.lock();
        state.own = own;
        let received = state.received.as_ref();
        received
            .filter(|(at, _)| at.elapsed() < VALID_FOR)
            .map(|(_, load)| load.clone())
    }

    fn to_publish(&self) -> Option<usize> {
        self.0.lock().own
    }

    /// `own` was published at `at`, and `others` were read.
    fn on_exchanged(&self, at: Instant, own: Option<usize>, others: Vec<usize>) {
        let mut state = self.0.lock();
        let previous = std::mem::replace(&mut state.published, own);
        state.received = own.map(|own| {
            let own = previous.map_or(own, |previous| previous.min(own));
            (at, ClusterLoad { own, others })
        });
    }
}

/// Exchanges, with the usage of tenants, after each renewal of the lease on `shard`, until it is dropped.
pub(crate) async fn run(exchange: Arc<LoadExchange>, usage: Arc<UsageExchange>, shard: Arc<Shard>) {
    loop {
        shard.lease_renewed.notified().await;
        exchange_once(&exchange, &shard).await;
        tenant_usage::exchange_once(&usage, &shard).await;
    }
}

/// A failure loses only this exchange: the load received before stays valid for a while.
async fn exchange_once(exchange: &LoadExchange, shard: &Shard) {
    let at = Instant::now();
    let own = exchange.to_publish();
    let mut call = shard.caller.scripts.call(Script::ExchangeLoad, 1, true);
    call.arg(shard.caller.names.cluster_load())
        .arg(shard.node().as_str())
        .arg(own.map_or_else(String::new, |own| own.to_string()))
        .arg(millis(LEASE))
        .arg(ClusterLoad::MAX_NODES);
    let mut pipeline = redis::Pipeline::with_capacity(1);
    pipeline.add_command(call);
    let reply = pool::query::<(Vec<usize>,)>(&shard.pool, &pipeline).await;
    shard
        .telemetry
        .redis_command(RedisOp::ClusterLoad, at.elapsed(), reply.is_ok());
    match reply {
        Ok((others,)) => exchange.on_exchanged(at, own, others),
        Err(error) => tracing::debug!(%error, "the other nodes' connections could not be counted"),
    }
}

/// Withdraws this node's numbers at its end.
///
/// # Errors
/// Why Redis did not take it, for people.
pub(crate) async fn withdraw(shard: &Shard) -> Result<(), String> {
    let mut pipeline = redis::Pipeline::with_capacity(2);
    pipeline
        .cmd("HDEL")
        .arg(shard.caller.names.cluster_load())
        .arg(shard.node().as_str())
        .cmd("HDEL")
        .arg(shard.caller.names.tenant_usage())
        .arg(shard.node().as_str());
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(exchange: &LoadExchange, own: Option<usize>) -> Option<usize> {
        exchange.exchange(own).map(|load| load.own)
    }

    #[test]
    fn a_growing_node_compares_the_number_that_the_others_knew() {
        let exchange = LoadExchange::default();
        let now = Instant::now();
        assert_eq!(own(&exchange, Some(10)), None);
        exchange.on_exchanged(now, Some(10), vec![7]);
        assert_eq!(own(&exchange, Some(30)), Some(10));
        exchange.on_exchanged(now, Some(30), vec![20]);
        assert_eq!(own(&exchange, Some(25)), Some(10));
        exchange.on_exchanged(now, Some(25), vec![20]);
        assert_eq!(own(&exchange, Some(25)), Some(25));
    }

    #[test]
    fn a_node_that_takes_no_clients_and_one_with_an_old_load_know_nothing() {
        let exchange = LoadExchange::default();
        let now = Instant::now();
        exchange.on_exchanged(now, Some(10), vec![7]);
        assert_eq!(own(&exchange, None), Some(10));
        exchange.on_exchanged(now, None, vec![7]);
        assert_eq!(own(&exchange, None), None);
        exchange.on_exchanged(now.checked_sub(VALID_FOR).unwrap(), Some(10), vec![7]);
        assert_eq!(own(&exchange, Some(10)), None);
    }

    #[test]
    fn the_number_to_publish_is_the_last_one_given() {
        let exchange = LoadExchange::default();
        assert_eq!(exchange.to_publish(), None);
        exchange.exchange(Some(3));
        exchange.exchange(Some(4));
        assert_eq!(exchange.to_publish(), Some(4));
        exchange.exchange(None);
        assert_eq!(exchange.to_publish(), None);
    }
}
