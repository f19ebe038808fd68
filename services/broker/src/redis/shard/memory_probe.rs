//! Asks Redis for its memory, every second. Not the conclusion for stored messages (`memory`).

use std::{sync::Arc, time::Duration};

use redis::{Pipeline, Value};
use switchboard_telemetry::RedisOp;
use tokio::time::sleep;

use super::state::Shard;
use crate::redis::{memory::MemoryInfo, pool, refusal::Refusal};

/// How often Redis is asked.
const READ_EVERY: Duration = Duration::from_secs(1);

/// How soon Redis is asked first: until then little is stored.
const FIRST_AFTER: Duration = Duration::from_millis(100);

/// How often a Redis is asked that refused to answer.
const RETRY_EVERY: Duration = Duration::from_secs(60);

/// Asks until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>) {
    let mut known_policy = String::new();
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
            Some(Value::ServerError(error)) => {
                let node = shard.node();
                tracing::warn!(%node, code = error.code(), "Redis does not tell its memory: nothing limits stored messages");
                shard.caller.memory.give_up();
                RETRY_EVERY
            }
            _ => READ_EVERY,
        };
        let Some(info) = replies.first().and_then(MemoryInfo::read) else {
            continue;
        };
        if known_policy != info.policy {
            warn_of_eviction(&shard, &info);
            known_policy.clone_from(&info.policy);
        }
        note_full(&shard, &info);
        if let Some(is_short) = shard.caller.memory.note(&info) {
            note_shortage(&shard, &info, is_short);
        }
    }
}

fn warn_of_eviction(shard: &Shard, info: &MemoryInfo) {
    if info.may_evict() {
        let (node, policy) = (shard.node(), &info.policy);
        tracing::warn!(%node, policy, "Redis may throw records of connected peers away; set maxmemory-policy noeviction");
    }
}

/// A full Redis takes no stored message. Leases and claims go on for a while, but the node should get no more clients.
fn note_full(shard: &Shard, info: &MemoryInfo) {
    if info.is_full() {
        let details = format!("used_memory {} of maxmemory {}", info.used, info.most);
        if let Some(refusal) = Refusal::find("OOM", Some(&details)) {
            shard.health.refused(RedisOp::OfflineQueue, &refusal);
        }
    } else {
        shard.health.accepted(RedisOp::OfflineQueue);
    }
}

fn note_shortage(shard: &Shard, info: &MemoryInfo, is_short: bool) {
    let (node, used_bytes, most_bytes) = (shard.node(), info.used, info.most);
    shard.telemetry.redis_memory_short(is_short);
    if is_short {
        tracing::warn!(%node, used_bytes, most_bytes, "Redis is short of memory: messages to detached peers end in queue-full");
    } else {
        tracing::info!(%node, used_bytes, most_bytes, "Redis has memory again: messages to detached peers are stored");
    }
}
