//! Ends detached sessions whose resume windows are over: one node at a time looks for them, so each end is known to those who
//! watch the peer and to one node. It needs no node that was there when the session was detached. Not the records of dead
//! nodes (`sweep`), which are detached first.

use std::{sync::Arc, time::Duration};

use redis::{Pipeline, Value};
use switchboard_core::BrokerEvents;
use tokio::time::sleep;

use super::state::Shard;
use crate::{
    partition::Partition,
    redis::{command::presence::DetachedSession, periods::millis, pool, redirected},
};

/// How often one node of the cluster looks for sessions that have ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the node that looks keeps others from it: a bit less than its next turn.
const LOCK: Duration = Duration::from_millis(900);

/// Sessions of one partition that end in one round, at most; the others end in the next.
const MAX_ENDS: usize = 128;

/// Ends sessions until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>) {
    loop {
        // Jitter: nodes that started together take turns.
        sleep(LOOK_EVERY.mul_f64(rand::random_range(0.8..=1.2))).await;
        if !shard.health.is_publisher_up() {
            continue;
        }
        if let Err(error) = end_all(&shard, events.as_ref()).await {
            tracing::debug!(node = %shard.node(), %error, "the search for ended sessions was cut short");
        }
    }
}

async fn end_all(shard: &Arc<Shard>, events: &dyn BrokerEvents) -> Result<(), String> {
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline
        .cmd("SET")
        .arg(shard.caller.names.ending())
        .arg(shard.lease.incarnation())
        .arg("NX")
        .arg("PX")
        .arg(millis(LOCK));
    pipeline.cmd("TIME");
    let (taken, (seconds, micros)): (Value, (u64, u64)) = redirected::query_shard(shard, &pipeline).await?;
    if taken == Value::Nil {
        return Ok(());
    }
    let now_ms = seconds * 1_000 + micros / 1_000;
    let served = shard.served.set();
    let mut pipeline = Pipeline::with_capacity(served.len());
    for partition in served.iter() {
        let ends = shard.caller.names.session_ends(partition);
        pipeline.cmd("ZRANGEBYSCORE").arg(ends).arg("-inf").arg(now_ms);
        pipeline.arg("LIMIT").arg(0).arg(MAX_ENDS);
    }
    if served.is_empty() {
        return Ok(());
    }
    let replies = pool::send(&shard.pool, &pipeline).await?;
    pool::note_refusal(&shard.pool, &replies);
    for (partition, reply) in served.iter().zip(replies) {
        // A slot that moves keeps no other from its turn.
        if matches!(reply, Value::ServerError(_)) {
            continue;
        }
        let members: Vec<String> = redis::from_redis_value(reply).map_err(|error| error.to_string())?;
        if !members.is_empty()
            && let Err(error) = end(shard, events, partition, &members).await
        {
            tracing::debug!(node = %shard.node(), partition = partition.index(), %error, "sessions were not ended");
        }
    }
    Ok(())
}

/// They leave the sorted set last: what a node has not reported when it dies, the next one does.
async fn end(
    shard: &Shard,
    events: &dyn BrokerEvents,
    partition: Partition,
    members: &[String],
) -> Result<(), String> {
    let sessions: Vec<_> = members
        .iter()
        .filter_map(|member| DetachedSession::read(member))
        .collect();
    let mut pipeline = Pipeline::with_capacity(sessions.len());
    for (index, session) in sessions.iter().enumerate() {
        // The first call makes Redis know the script.
        pipeline.add_command(session.write_end(&shard.caller, index == 0));
    }
    let ended: Vec<u64> = match sessions.is_empty() {
        true => Vec::new(),
        false => pool::query(&shard.pool, &pipeline).await?,
    };
    for (session, _) in sessions.iter().zip(ended).filter(|(_, ended)| *ended == 1) {
        events.on_session_ended(&session.peer, session.session);
    }
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("ZREM")
        .arg(shard.caller.names.session_ends(partition));
    pipeline.arg(members);
    pool::query::<(u64,)>(&shard.pool, &pipeline).await.map(drop)
}
