//! Revocations in Redis: one sorted set, whose scores are their ends, and a channel of the same name for new ones. Every node
//! subscribes to the channel before it reads the set, so it misses none; after a loss, nodes write back what they know. Not
//! which tokens they concern (crate `core`).

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use redis::{Cmd, Pipeline};
use switchboard_core::{BrokerError, BrokerEvents, RevocationChange};
use switchboard_protocol::Revocation;
use switchboard_telemetry::{BusDrop, RedisOp};
use tokio::time::sleep;

use super::{pool, scripts::Script, shard::state::Shard};

/// How long a revocation stays in Redis after its end, in seconds: nodes whose clocks are late still need it.
const MARGIN_S: u64 = 600;

/// Revocations that one script writes.
const WRITE_BATCH: usize = 500;

/// How soon the revocations are read again after a failure.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Stores a revocation.
///
/// # Errors
/// [`BrokerError::Unavailable`] when Redis did not say that it has it.
pub(crate) async fn revoke(shard: &Shard, change: &RevocationChange) -> Result<(), BrokerError> {
    let replaced = change.replaces.as_ref().map(Revocation::text);
    let written = write(shard, replaced, std::slice::from_ref(&change.revocation)).await;
    written.map_err(|error| {
        tracing::warn!(node = %shard.node(), %error, "Redis did not take a revocation");
        BrokerError::Unavailable
    })
}

/// Reads the revocations whenever some may have been missed or lost, until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>) {
    loop {
        shard.revocations_due.notified().await;
        let mut failures = 0_u32;
        while let Err(error) = exchange(&shard, events.as_ref()).await {
            if failures == 0 {
                tracing::warn!(node = %shard.node(), %error, "the revocations could not be read; the node tries again");
            }
            failures = failures.saturating_add(1);
            sleep(RETRY_AFTER).await;
        }
        if failures > 0 {
            tracing::info!(node = %shard.node(), failures, "the revocations are read");
        }
    }
}

/// Reads a revocation that another node has published.
pub(crate) fn on_published(shard: &Shard, payload: &[u8], events: &dyn BrokerEvents) {
    let text = std::str::from_utf8(payload).ok();
    let read = text
        .and_then(|text| text.split_once(' '))
        .and_then(|(until, text)| {
            let until_s = until.parse().ok()?;
            Revocation::parse(text, until_s).ok()
        });
    match read {
        Some(revocation) => events.on_revoked(vec![revocation], now_s()),
        None => shard
            .telemetry
            .bus_message_dropped(BusDrop::Malformed, &"not a revocation"),
    }
}

/// Reads all revocations, and writes those that Redis lacks.
async fn exchange(shard: &Shard, events: &dyn BrokerEvents) -> Result<(), String> {
    let at = Instant::now();
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("ZRANGE")
        .arg(shard.caller.names.revocations())
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES");
    let reply = pool::query::<(Vec<(String, f64)>,)>(&shard.pool, &pipeline).await;
    shard
        .telemetry
        .redis_command(RedisOp::Revocations, at.elapsed(), reply.is_ok());
    let (stored,) = reply?;
    let stored = stored.into_iter();
    // A text of a newer version means nothing here.
    let stored = stored.filter_map(|(text, until_s)| Revocation::parse(&text, until_s as u64).ok());
    let lacking = events.on_revocations_read(stored.collect(), now_s());
    if !lacking.is_empty() {
        tracing::info!(node = %shard.node(), count = lacking.len(), "Redis lacks revocations: they are written again");
    }
    for batch in lacking.chunks(WRITE_BATCH) {
        write(shard, None, batch).await?;
    }
    Ok(())
}

async fn write(shard: &Shard, replaced: Option<String>, batch: &[Revocation]) -> Result<(), String> {
    let at = Instant::now();
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(write_call(shard, replaced, batch));
    let reply = pool::query::<(u64,)>(&shard.pool, &pipeline).await;
    shard
        .telemetry
        .redis_command(RedisOp::Revocations, at.elapsed(), reply.is_ok());
    reply.map(|_| ())
}

fn write_call(shard: &Shard, replaced: Option<String>, batch: &[Revocation]) -> Cmd {
    let names = shard.caller.names.revocations();
    let mut call = shard.caller.scripts.call(Script::Revoke, 1, true);
    call.arg(&names)
        .arg(&names)
        .arg(MARGIN_S)
        .arg(replaced.unwrap_or_default());
    for revocation in batch {
        call.arg(revocation.until_s).arg(revocation.text());
    }
    call
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
