//! What tenants have on each node, for quotas over all nodes: a hash with a field for each node, whose text ends with its
//! validity by Redis' own clock, as the cluster load does (`cluster_load`). A dead node's field ends with its lease. Not the
//! quotas (crate `core`).

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use switchboard_core::{ClusterLoad, TenantUsage};
use switchboard_telemetry::RedisOp;

use super::{
    periods::{LEASE, RENEW_EVERY, millis},
    pool,
    scripts::Script,
    shard::state::Shard,
};

/// What was received is valid for two renewals and some delay.
const VALID_FOR: Duration = RENEW_EVERY
    .saturating_mul(2)
    .saturating_add(Duration::from_secs(1));

/// What this node publishes, and what it last received.
#[derive(Debug, Default)]
pub(crate) struct UsageExchange(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    own: TenantUsage,
    is_published: bool,
    received: Option<(Instant, TenantUsage)>,
}

impl UsageExchange {
    /// Takes what to publish next, and gives what was received, while it is valid.
    pub(crate) fn exchange(&self, own: TenantUsage) -> Option<TenantUsage> {
        let mut state = self.0.lock();
        state.own = own;
        let received = state.received.as_ref();
        received
            .filter(|(at, _)| at.elapsed() < VALID_FOR)
            .map(|(_, usage)| usage.clone())
    }

    /// The text to publish; `None` if there is nothing, and was nothing before.
    fn to_publish(&self) -> Option<String> {
        let mut state = self.0.lock();
        let has_own = !state.own.is_empty();
        let was_published = std::mem::replace(&mut state.is_published, has_own);
        (was_published || has_own).then(|| state.own.text())
    }
}

/// Exchanges once. A failure loses only this exchange.
pub(crate) async fn exchange_once(exchange: &UsageExchange, shard: &Shard) {
    let Some(own) = exchange.to_publish() else {
        return;
    };
    let at = Instant::now();
    let mut call = shard.caller.scripts.call(Script::ExchangeUsage, 1, true);
    call.arg(shard.caller.names.tenant_usage())
        .arg(shard.node().as_str())
        .arg(own)
        .arg(millis(LEASE))
        .arg(ClusterLoad::MAX_NODES);
    let mut pipeline = redis::Pipeline::with_capacity(1);
    pipeline.add_command(call);
    let reply = pool::query::<(Vec<String>,)>(&shard.pool, &pipeline).await;
    shard
        .telemetry
        .redis_command(RedisOp::TenantUsage, at.elapsed(), reply.is_ok());
    match reply {
        Ok((others,)) => {
            let mut elsewhere = TenantUsage::default();
            for other in others {
                elsewhere.add(&TenantUsage::parse(&other));
            }
            exchange.0.lock().received = Some((at, elsewhere));
        }
        Err(error) => tracing::debug!(%error, "what tenants have on other nodes could not be read"),
    }
}
