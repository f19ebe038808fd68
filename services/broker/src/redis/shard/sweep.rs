//! What runs of nodes leave behind that ended without a goodbye: one node removes their members from rooms, and lets their
//! records end within the resume window. Without it a member or a record would stay for ever, and sends to its peer
//! would be queued. Not the proof for a single send (`interpret::locate`).

use std::{sync::Arc, time::Duration};

use redis::{Pipeline, Value};
use switchboard_core::BrokerEvents;
use tokio::time::sleep;

use super::{room_sweep, state::Shard};
use crate::{
    keys::Names,
    partition::Partition,
    redis::{
        periods::{LEASE, millis},
        pool, redirected,
        scripts::Script,
    },
};

/// How often each node looks for dead runs. With the lease, and some time for the work, it is less than 15 s.
const SWEEP_EVERY: Duration = Duration::from_secs(3);

/// Keys that Redis visits for one SCAN.
const SCAN_COUNT: usize = 256;

/// The pause between two SCANs: messages have to pass between them.
const PAUSE: Duration = Duration::from_millis(10);

/// Dead runs that one sweep looks for, at most; the next one takes the others.
const MAX_DEAD_RUNS: usize = 64;

/// How long records of dead runs stay if no session of this node says how long sessions can be resumed.
const DEFAULT_WINDOW: Duration = Duration::from_secs(60);

/// Sweeps until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>) {
    loop {
        // Jitter: nodes that started together take turns.
        sleep(SWEEP_EVERY.mul_f64(rand::random_range(0.8..=1.2))).await;
        // A lease that is absent proves a death only if its node could have renewed it.
        if shard.health.reachable_for(LEASE).is_err() {
            continue;
        }
        if let Err(error) = sweep(&shard, events.as_ref()).await {
            tracing::debug!(node = %shard.node(), %error, "the sweep for records of dead nodes was cut short");
        }
    }
}

async fn sweep(shard: &Arc<Shard>, events: &dyn BrokerEvents) -> Result<(), String> {
    let Runs { dead, ended } = find_runs(shard).await?;
    let (ended, _) = sweep_rooms(shard, events, ended).await;
    forget_ended(shard, &ended).await?;
    // A run is forgotten only when its members are gone.
    let (dead, outcome) = sweep_rooms(shard, events, dead).await;
    outcome?;
    if dead.is_empty() || !lock(shard, "NX").await? {
        return Ok(());
    }
    let mut cursor = "0".to_owned();
    let (mut orphans, mut is_complete) = (0, true);
    loop {
        let (next, records) = scan(shard, &cursor).await?;
        let (ended, are_all) = orphan(shard, &records, &dead).await?;
        orphans += ended;
        is_complete &= are_all;
        if next == "0" {
            break;
        }
        cursor = next;
        sleep(PAUSE).await;
        // Another node sweeps as well if this one was too slow; that harms nobody.
        lock(shard, "XX").await?;
    }
    if !is_complete {
        return Err("records in a slot that moves remain".to_owned());
    }
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.cmd("HDEL").arg(shard.caller.names.runs());
    for run in &dead {
        pipeline.arg(run);
    }
    pipeline.cmd("DEL").arg(shard.caller.names.sweep());
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await?;
    tracing::info!(node = %shard.node(), server = shard.health.server(), runs = dead.len(), orphans, "records of dead nodes end within the resume window");
    Ok(())
}

/// Runs that left something behind.
struct Runs {
    /// The incarnations whose node's lease does not name them.
    dead: Vec<String>,
    /// Runs that ended in order, and whose members have not come back in time.
    ended: Vec<String>,
}

async fn find_runs(shard: &Arc<Shard>) -> Result<Runs, String> {
    let names = &shard.caller.names;
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.cmd("HGETALL").arg(names.runs()).cmd("TIME");
    let (runs, (now, _)): (Vec<(String, String)>, (u64, u64)) =
        redirected::query_shard(shard, &pipeline).await?;
    let mut pipeline = Pipeline::with_capacity(1 + runs.len());
    pipeline
        .cmd("ZRANGEBYSCORE")
        .arg(names.ended_runs())
        .arg("-inf")
        .arg(now)
        .arg("LIMIT")
        .arg(0)
        .arg(MAX_DEAD_RUNS);
    for (_, node) in &runs {
        pipeline.cmd("GET").arg(names.lease(node));
    }
    let replies: Vec<Value> = redirected::query_shard(shard, &pipeline).await?;
    let (ended, leases) = replies.split_first().ok_or("Redis answered nothing")?;
    let unreadable = |error: redis::ParsingError| error.to_string();
    let ended: Vec<String> = redis::from_redis_value_ref(ended).map_err(unreadable)?;
    let leases = leases.iter().map(redis::from_redis_value_ref);
    let leases: Vec<Option<String>> = leases.collect::<Result<_, _>>().map_err(unreadable)?;
    let runs = runs.into_iter().zip(leases);
    let dead = runs.filter(|((run, _), lease)| lease.as_ref() != Some(run));
    Ok(Runs {
        dead: dead.map(|((run, _), _)| run).take(MAX_DEAD_RUNS).collect(),
        ended,
    })
}

/// Removes the members of these runs from rooms. The runs without members now, and whether it was cut short.
async fn sweep_rooms(
    shard: &Shard,
    events: &dyn BrokerEvents,
    runs: Vec<String>,
) -> (Vec<String>, Result<(), String>) {
    let mut done = Vec::with_capacity(runs.len());
    for run in runs {
        match room_sweep::run(shard, events, &run).await {
            Ok(true) => done.push(run),
            Ok(false) => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

async fn forget_ended(shard: &Shard, ended: &[String]) -> Result<(), String> {
    if ended.is_empty() {
        return Ok(());
    }
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("ZREM")
        .arg(shard.caller.names.ended_runs())
        .arg(ended);
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await.map(drop)
}

/// Takes (`NX`) or keeps (`XX`) the lock of the sweep; whether that was possible.
async fn lock(shard: &Arc<Shard>, condition: &str) -> Result<bool, String> {
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("SET")
        .arg(shard.caller.names.sweep())
        .arg(shard.lease.incarnation())
        .arg(condition)
        .arg("PX")
        .arg(millis(LEASE));
    let (taken,): (Value,) = redirected::query_shard(shard, &pipeline).await?;
    Ok(taken != Value::Nil)
}

async fn scan(shard: &Shard, cursor: &str) -> Result<(String, Vec<String>), String> {
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("SCAN")
        .arg(cursor)
        .arg("MATCH")
        .arg(shard.caller.names.record_pattern())
        .arg("COUNT")
        .arg(SCAN_COUNT);
    let (page,) = pool::query(&shard.pool, &pipeline).await?;
    Ok(page)
}

/// Lets those of `records` end that belong to `dead` runs. How many there were, and whether Redis answered for all: those of a slot
/// that moves are left to a later sweep, and keep nobody from the others.
async fn orphan(shard: &Shard, records: &[String], dead: &[String]) -> Result<(u64, bool), String> {
    // Of a partition that is on its way from or to another shard, Redis may show some.
    let is_served = |record: &&String| {
        Names::peer_of_record(record).is_some_and(|peer| shard.served.contains(Partition::of(peer)))
    };
    let records: Vec<&String> = records.iter().filter(is_served).collect();
    if records.is_empty() {
        return Ok((0, true));
    }
    let window = shard.resume_window().unwrap_or(DEFAULT_WINDOW);
    let mut pipeline = Pipeline::with_capacity(records.len() + 1);
    for (index, record) in records.iter().enumerate() {
        // The first call makes Redis know the script.
        let mut call = shard.caller.scripts.call(Script::Orphan, 3, index == 0);
        call.arg(record)
            .arg(Names::offline_queue_of(record))
            .arg(Names::session_ends_of(record))
            .arg(millis(window))
            .arg(dead);
        pipeline.add_command(call);
    }
    let replies = pool::send(&shard.pool, &pipeline).await?;
    pool::note_refusal(&shard.pool, &replies);
    let (mut orphans, mut is_complete) = (0, true);
    for reply in replies {
        if matches!(reply, Value::ServerError(_)) {
            is_complete = false;
            continue;
        }
        orphans += redis::from_redis_value::<u64>(reply).map_err(|error| error.to_string())?;
    }
    Ok((orphans, is_complete))
}
