//! Renews this node's lease, on a pooled connection of its own: no queue of publishes can make this node look
//! dead. Not the meaning of a late renewal (`lease`).

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use redis::Pipeline;
use switchboard_telemetry::RedisOp;
use tokio::time::MissedTickBehavior;

use super::state::Shard;
use crate::redis::{periods::RENEW_EVERY, pool};

/// Renews the lease until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>) {
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first renewal is part of the publisher's handshake.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let at = Instant::now();
        let mut pipeline = Pipeline::with_capacity(2);
        shard.lease.write(&mut pipeline);
        let renewal = pool::query::<(Option<String>, String)>(&shard.pool, &pipeline).await;
        shard
            .telemetry
            .redis_command(RedisOp::Lease, at.elapsed(), renewal.is_ok());
        match renewal {
            Ok((before, _)) => {
                shard.lease.renewed(at);
                shard.telemetry.lease_renewed(unix_now_s());
                if before.is_some_and(|before| before != shard.lease.incarnation()) {
                    tracing::error!(node = %shard.node(), "another running node has the same id; give each its own");
                }
                shard.lease_renewed.notify_one();
            }
            Err(error) => tracing::warn!(%error, "the node's lease could not be renewed"),
        }
    }
}

fn unix_now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
