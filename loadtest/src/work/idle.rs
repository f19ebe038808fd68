//! Peers that only stay connected: the ramp, one message each way, the hold, and the storm in which all come back
//! at once. They are held in pairs, so that a message has a receiver with any server.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::MessageKind;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    oracle::Oracle,
    pacer::Starts,
    pair::{Event, Pair, Which},
    schedule::Schedule,
    share::{Names, PairName},
};
use crate::{
    drivers::Driver,
    record::{Counter, Metric},
    scenario::{Arrivals, Idle, Placement, Span, Stage},
};

/// How long a message of an idle peer may take, and its bytes.
const TRAFFIC_TIME: Duration = Duration::from_secs(10);
const TRAFFIC_BYTES: usize = 1200;

/// The waits between attempts to come back are drawn evenly from zero to a bound. It doubles from the first of these
/// to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The phase for the tasks of all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Connect, then wait.
    Ramp,
    /// The load began then.
    Load(Instant),
    /// Leave.
    Leave,
}

/// What all pairs of a worker share.
struct Shared<D: Driver> {
    driver: D,
    oracle: Arc<Oracle>,
    names: Names,
    idle: Idle,
    /// Permits for pairs that connect.
    connecting: Semaphore,
    /// One permit for each pair that has connected or failed to.
    ready: Semaphore,
}

/// The idle peers of this worker.
pub(crate) struct IdlePeers {
    pairs: JoinSet<()>,
    phase: watch::Sender<Phase>,
}

impl IdlePeers {
    /// Connects them at the wanted rate, and lets each pair exchange a message if wanted. Returns when every pair has
    /// connected or failed to.
    pub(crate) async fn connect<D: Driver>(driver: D, oracle: Arc<Oracle>, names: Names, idle: Idle) -> Self {
        let share = names.share;
        let count = share.of_count(idle.connections / 2);
        let (phase, _) = watch::channel(Phase::Ramp);
        let rate = share.of_rate(idle.ramp_per_second / 2.0).max(0.1);
        let lasts = Span::from_secs((count as f64 / rate).ceil() as u64 + 1);
        let moments = Schedule::new(
            &[Stage {
                rate,
                to: None,
                lasts,
            }],
            1.0,
            Arrivals::Uniform,
            0,
        )
        .take(count);
        // There is room for every start: where connecting is slower than the ramp, the ramp takes longer.
        let starts = Starts::shared(moments, Instant::now(), &oracle.recorder, 1, count);
        let shared = Arc::new(Shared {
            driver,
            oracle,
            names,
            connecting: Semaphore::new(idle.connects_at_once.div_ceil(2)),
            idle,
            ready: Semaphore::new(0),
        });
        let (mut pairs, mut number) = (JoinSet::new(), 0);
        for mut starts in starts {
            while let Some(late) = starts.next().await {
                // Waiting here for a permit would be waiting for the server: the schedule would adapt to it.
                let (shared, phase) = (Arc::clone(&shared), phase.subscribe());
                pairs.spawn(async move { hold(&shared, number, late, phase).await });
                number += 1;
            }
        }
        let _ = shared
            .ready
            .acquire_many(u32::try_from(count).unwrap_or(u32::MAX))
            .await;
        Self { pairs, phase }
    }

    /// The load begins.
    pub(crate) fn begin(&self, start: Instant) {
        self.phase.send_replace(Phase::Load(start));
    }

    /// All leave.
    pub(crate) async fn leave(mut self) {
        self.phase.send_replace(Phase::Leave);
        while self.pairs.join_next().await.is_some() {}
    }
}

/// One pair's life.
async fn hold<D: Driver>(shared: &Shared<D>, number: u64, late: Duration, mut phase: watch::Receiver<Phase>) {
    let mut pair = connect(shared, number, late).await;
    if let Some(pair) = pair.as_mut().filter(|_| shared.idle.traffic) {
        for from in [Which::A, Which::B] {
            pair.send(from, MessageKind::Message, TRAFFIC_BYTES, Duration::ZERO)
                .await;
        }
        pair.settle(TRAFFIC_TIME).await;
    }
    shared.ready.add_permits(1);
    let mut storm = None;
    loop {
        let Some(connected) = &mut pair else {
            pair = come_back(shared, number, BACKOFF.0, &phase).await;
            if pair.is_none() {
                return;
            }
            continue;
        };
        let storm_at = storm.unwrap_or_else(Instant::now);
        tokio::select! {
            changed = phase.changed() => match (*phase.borrow_and_update(), changed) {
                (Phase::Load(start), Ok(())) => storm = shared.idle.storm_at.map(|at| start + at.get()),
                (Phase::Ramp, Ok(())) => {}
                (Phase::Leave, _) | (_, Err(_)) => break,
            },
            event = connected.next() => if matches!(event, Event::Ended) { pair = None },
            () = sleep_until(storm_at), if storm.is_some() => {
                storm = None;
                // Without a close frame: for the servers a network is gone.
                drop(pair.take());
                shared.oracle.recorder.add(Counter::Disconnects, 2);
                pair = come_back(shared, number, shared.idle.storm_spread.get(), &phase).await;
            }
        }
    }
    if let Some(pair) = pair {
        pair.close().await;
    }
}

/// Tries until both are connected again; `None` when all are to leave. The first wait is drawn evenly from zero to
/// `spread`, later ones from zero to bounds that double.
async fn come_back<D: Driver>(
    shared: &Shared<D>,
    number: u64,
    spread: Duration,
    phase: &watch::Receiver<Phase>,
) -> Option<Pair<D>> {
    let lost_at = Instant::now();
    let (mut bound, mut next_bound) = (spread, BACKOFF.0);
    while *phase.borrow() != Phase::Leave {
        sleep(bound.mul_f64(rand::random())).await;
        if let Some(pair) = connect(shared, number, Duration::ZERO).await {
            let recorder = &shared.oracle.recorder;
            recorder.add(Counter::Reconnects, 2);
            recorder.time(Metric::Reconnect, lost_at.elapsed(), Duration::ZERO);
            return Some(pair);
        }
        (bound, next_bound) = (next_bound, (next_bound * 2).min(BACKOFF.1));
    }
    None
}

async fn connect<D: Driver>(shared: &Shared<D>, number: u64, late: Duration) -> Option<Pair<D>> {
    let _permit = shared.connecting.acquire().await.ok()?;
    let name = PairName {
        population: 'i',
        number,
    };
    let Shared {
        driver,
        oracle,
        names,
        ..
    } = shared;
    Pair::connect(driver, oracle, names, name, Placement::SameNode, late)
        .await
        .ok()
}
