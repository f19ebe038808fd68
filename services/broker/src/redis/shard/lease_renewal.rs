//! Renews this node's lease, on a pooled connection of its own: no queue of publishes can make this node look
//! dead. Where that connection fails, the publisher's serves. Not the meaning of a late renewal (`lease`).

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use redis::{Cmd, Pipeline, Value};
use switchboard_core::BrokerError;
use switchboard_telemetry::{Coalesced, RedisOp};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{lease::Renewal, state::Shard};
use crate::redis::{
    asking,
    command::Command,
    periods::{RENEW_EVERY, RETRY_RENEWAL_EVERY},
    pool,
};

/// How long the channels wait for the claims after Redis lost the lease.
const WRITE_CLAIMS_WITHIN: Duration = RENEW_EVERY;

/// How often is looked whether they are written.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Renews the lease until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>) {
    let failures = Coalesced::new();
    let mut renewed_at = Instant::now();
    loop {
        sleep(RETRY_RENEWAL_EVERY).await;
        shard.health.remind();
        // The publisher's handshake takes it first. While Redis refuses writes, each renewal asks whether it still does.
        let is_due = renewed_at.elapsed() >= RENEW_EVERY || shard.health.is_refused();
        if is_due && shard.lease.was_held() {
            let at = Instant::now();
            if renew(&shard, &failures).await {
                renewed_at = at;
            }
        }
    }
}

/// Renews once; returns whether the lease is renewed.
async fn renew(shard: &Shard, failures: &Coalesced) -> bool {
    let at = Instant::now();
    let reply = match send(shard, failures).await {
        Ok(Value::ServerError(error)) => {
            shard.on_server_error(RedisOp::Lease, &error);
            Err(BrokerError::Refused)
        }
        other => other,
    };
    let renewal = reply.and_then(|reply| shard.lease.read(&reply, at));
    shard
        .telemetry
        .redis_command(RedisOp::Lease, at.elapsed(), renewal.is_ok());
    match renewal {
        Ok(Renewal::Foreign) => {
            shard.stop(shard.taken_name());
            return false;
        }
        Ok(Renewal::New) => {
            tracing::warn!(node = %shard.node(), server = shard.health.server(), "Redis lost the node's lease: its claims are checked and written again");
            shard.lease_lost();
            until_claims_are_written(shard).await;
            // The name may lead to another server now, while both connections lead to the old one.
            shard.publisher_redial.notify_one();
            shard.subscriber_redial.notify_one();
        }
        Ok(Renewal::Kept) => {}
        Err(_) => return false,
    }
    if shard.health.is_refused() {
        shard.health.accepted(RedisOp::Lease);
        shard.claim_work.notify_one();
    }
    shard.telemetry.lease_renewed(unix_now_s());
    shard.lease_renewed.notify_one();
    true
}

/// The claims are written before the channels pause: a peer without a channel and without a record is offline for its senders.
async fn until_claims_are_written(shard: &Shard) {
    let written = async {
        while shard.tables.lock().claims.due() > 0 {
            sleep(LOOK_EVERY).await;
        }
    };
    // Late or not, the channels pause then: others may have taken the peers.
    let _ = timeout(WRITE_CLAIMS_WITHIN, written).await;
}

/// The reply of the script, which may be an error of Redis.
async fn send(shard: &Shard, failures: &Coalesced) -> Result<Value, BrokerError> {
    let call = shard.lease.write(&shard.caller.scripts);
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(call.clone());
    match pool::send(&shard.pool, &pipeline).await {
        Ok(mut replies) => {
            let reply = replies.pop().ok_or(BrokerError::Refused)?;
            // A home that stays half moved must not cost the node its lease.
            let followed = asking::follow(shard, &call, reply).await;
            followed.map_err(|_| BrokerError::Unavailable)
        }
        Err(why) => {
            let reply = send_by_publisher(shard, call).await?;
            // Without both connections the bus is down, and that has its own lines.
            failures.note(|count| {
                let (node, server) = (shard.node(), shard.health.server());
                tracing::warn!(%node, server, count, why, "the connection that renews the lease failed; the publisher's serves");
            });
            Ok(reply)
        }
    }
}

async fn send_by_publisher(shard: &Shard, call: Cmd) -> Result<Value, BrokerError> {
    let (answer, reply) = oneshot::channel();
    let call = Box::new(call);
    shard.send(Command::Query {
        operation: RedisOp::Lease,
        partition: None,
        call,
        answer,
    })?;
    // Without an answer the publisher is gone.
    reply.await.unwrap_or(Err(BrokerError::Unavailable))
}

fn unix_now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
