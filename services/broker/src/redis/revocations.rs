//! Revocations in Redis: one sorted set, whose scores are their ends, and a channel of the same name for new ones. Every node
//! subscribes to the channel before it reads the set, so it misses none; after a loss, nodes write back what they know. Not
//! which tokens they concern (crate `core`).

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use redis::{Cmd, FromRedisValue, Pipeline};
use switchboard_core::{BrokerError, BrokerEvents, RevocationChange};
use switchboard_protocol::Revocation;
use switchboard_telemetry::{BusDrop, RedisOp};
use tokio::{sync::Notify, time::sleep};

use super::{
    lasting::{Lasting, Moment},
    redirected::{self, Place},
    scripts::Script,
    shard::state::Shard,
    topology::Topology,
};

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
pub(crate) async fn revoke(topology: &Topology, change: &RevocationChange) -> Result<(), BrokerError> {
    let replaced = change.replaces.as_ref().map(Revocation::text);
    let written = write(topology, replaced, std::slice::from_ref(&change.revocation)).await;
    written.map_err(|error| {
        let shard = topology.shard_of_nodes();
        tracing::warn!(node = %shard.node(), server = shard.health.server(), %error, "Redis did not take a revocation");
        BrokerError::Unavailable
    })
}

/// Reads the revocations whenever some may have been missed or lost, until it is dropped.
pub(crate) async fn run(topology: Arc<Topology>, due: Arc<Notify>, events: Arc<dyn BrokerEvents>) {
    let mut failing = Lasting::default();
    loop {
        due.notified().await;
        let shard = topology.shard_of_nodes();
        while let Err(error) = exchange(&topology, events.as_ref()).await {
            if let Some(moment) = failing.note(true, Instant::now()) {
                let (node, server) = (shard.node(), shard.health.server());
                let for_s = match moment {
                    Moment::Begins => 0,
                    Moment::Lasts(time) | Moment::Ends(time) => time.as_secs(),
                };
                tracing::warn!(%node, server, %error, for_s, "the revocations cannot be read; the node tries again, and \
                     takes no token if it has never read them");
            }
            sleep(RETRY_AFTER).await;
        }
        if let Some(Moment::Ends(time)) = failing.note(false, Instant::now()) {
            let (node, server, for_s) = (shard.node(), shard.health.server(), time.as_secs());
            tracing::info!(%node, server, for_s, "the revocations are read");
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
async fn exchange(topology: &Topology, events: &dyn BrokerEvents) -> Result<(), String> {
    let shard = topology.shard_of_nodes();
    let at = Instant::now();
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("ZRANGE")
        .arg(shard.caller.names.revocations())
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES");
    let reply = query::<(Vec<(String, f64)>,)>(topology, &pipeline).await;
    shard
        .telemetry
        .redis_command(RedisOp::Revocations, at.elapsed(), reply.is_ok());
    let (stored,) = reply?;
    let stored = stored.into_iter();
    // A text of a newer version means nothing here.
    let stored = stored.filter_map(|(text, until_s)| Revocation::parse(&text, until_s as u64).ok());
    let lacking = events.on_revocations_read(stored.collect(), now_s());
    if !lacking.is_empty() {
        tracing::info!(node = %shard.node(), server = shard.health.server(), count = lacking.len(), "Redis lacks revocations: they are written again");
    }
    for batch in lacking.chunks(WRITE_BATCH) {
        write(topology, None, batch).await?;
    }
    Ok(())
}

async fn query<T: FromRedisValue>(topology: &Topology, pipeline: &Pipeline) -> Result<T, String> {
    redirected::query(|| Ok(Place::Of(topology.shard_of_nodes())), pipeline).await
}

async fn write(topology: &Topology, replaced: Option<String>, batch: &[Revocation]) -> Result<(), String> {
    let shard = topology.shard_of_nodes();
    let at = Instant::now();
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(write_call(&shard, replaced, batch));
    let reply = query::<(u64,)>(topology, &pipeline).await;
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
