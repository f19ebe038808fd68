//! Asks Redis for its memory, every second. Not the conclusion for stored messages (`memory`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Pipeline, ServerError, Value};
use switchboard_telemetry::RedisOp;
use tokio::time::sleep;

use super::state::Shard;
use crate::redis::{
    lasting::{Lasting, Moment},
    memory::MemoryInfo,
    pool,
    refusal::{Reaction, Refusal},
};

/// How often Redis is asked.
const READ_EVERY: Duration = Duration::from_secs(1);

/// How soon Redis is asked first: until then little is stored.
const FIRST_AFTER: Duration = Duration::from_millis(100);

/// How often a Redis is asked that refused to answer.
const RETRY_EVERY: Duration = Duration::from_secs(60);

/// Asks until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>) {
    let mut known_policy = String::new();
    let mut shortage = Lasting::default();
    let mut wait = FIRST_AFTER;
    loop {
        sleep(wait).await;
        if !shard.health.is_publisher_up() {
            continue;
        }
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.cmd("INFO").arg("memory");
        let replies = pool::send(&shard.pool, &pipeline).await.unwrap_or_default();
        wait = match replies.first() {
            Some(Value::ServerError(error)) if never_tells(error) => {
                let (node, server, code) = (shard.node(), shard.health.server(), error.code());
                tracing::warn!(%node, server, code, "Redis does not tell its memory: nothing limits stored messages");
                shard.caller.memory.give_up();
                RETRY_EVERY
            }
            // Nothing, or busy: what was known last counts on.
            _ => READ_EVERY,
        };
        let Some(info) = replies.first().and_then(MemoryInfo::read) else {
            continue;
        };
        shard.telemetry.redis_may_evict(info.may_evict());
        if known_policy != info.policy {
            warn_of_eviction(&shard, &info);
            known_policy.clone_from(&info.policy);
        }
        note_full(&shard, &info);
        let is_short = shard.caller.memory.note(&info);
        note_shortage(&shard, &info, shortage.note(is_short, Instant::now()));
    }
}

/// Whether the node's user may not ask, or the server does not know the question.
fn never_tells(error: &ServerError) -> bool {
    Refusal::of(RedisOp::Ping, error.code(), error.details()).reaction == Reaction::WaitForKind
}

fn warn_of_eviction(shard: &Shard, info: &MemoryInfo) {
    if info.may_evict() {
        let (node, server, policy) = (shard.node(), shard.health.server(), &info.policy);
        tracing::warn!(%node, server, policy, "Redis may throw records of connected peers away; set maxmemory-policy noeviction");
    }
}

/// A full Redis takes no stored message. Leases and claims go on for a while, but the node should get no more clients.
fn note_full(shard: &Shard, info: &MemoryInfo) {
    if info.is_full() {
        let details = format!("maxmemory {}", info.most);
        let op = RedisOp::OfflineQueue;
        shard.health.refused(op, Refusal::of(op, "OOM", Some(&details)));
    } else {
        shard.health.has_memory();
    }
}

fn note_shortage(shard: &Shard, info: &MemoryInfo, moment: Option<Moment>) {
    let Some(moment) = moment else { return };
    let (node, server) = (shard.node(), shard.health.server());
    let (used_bytes, most_bytes) = (info.used, info.most);
    shard
        .telemetry
        .redis_memory_short(!matches!(moment, Moment::Ends(_)));
    match moment {
        Moment::Begins => {
            tracing::warn!(%node, server, used_bytes, most_bytes, "Redis is short of memory: messages to \
             detached peers end in queue-full")
        }
        Moment::Lasts(time) => {
            tracing::warn!(%node, server, used_bytes, most_bytes, short_s = time.as_secs(), "Redis \
             still is short of memory: messages to detached peers end in queue-full")
        }
        Moment::Ends(time) => {
            tracing::info!(%node, server, used_bytes, most_bytes, short_s = time.as_secs(), "Redis \
             has memory again: messages to detached peers are stored")
        }
    }
}
