//! Peers that only stay connected: the ramp, one message each way, the hold, and the storm in which all come back
//! at once. They are held in pairs, so that a message has somewhere to go whatever the server.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::MessageKind;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    judge::Judge,
    pacer,
    pair::{Event, Pair, Which},
    schedule::Schedule,
    share::{Names, PairName},
};
use crate::{
    drivers::Driver,
    record::{Counter, Metric},
    scenario::{Arrivals, Idle, Placement, Span, Stage},
};

/// Connects under way at once in one worker.
const AT_ONCE: usize = 256;

/// How long a message of an idle peer may take.
const TRAFFIC_WITHIN: Duration = Duration::from_secs(10);
const TRAFFIC_BYTES: usize = 1200;

/// The waits between attempts to come back: drawn evenly from zero to a bound that doubles from the first to the
/// second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the holders are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connect, then wait.
    Ramp,
    /// All are there; the load began then.
    Load(Instant),
    /// Leave.
    Leave,
}

/// What all holders of a worker share.
struct Hall<D: Driver> {
    driver: D,
    judge: Arc<Judge>,
    names: Names,
    idle: Idle,
    /// Connects under way.
    doors: Semaphore,
}

/// The idle peers of this worker.
pub(crate) struct Crowd {
    holders: JoinSet<()>,
    phase: watch::Sender<Phase>,
}

impl Crowd {
    /// Connects them at the wanted rate, and lets each pair exchange a message if wanted; returns when all that
    /// could connect have.
    pub(crate) async fn gather<D: Driver>(driver: D, judge: Arc<Judge>, names: Names, idle: Idle) -> Self {
        let share = names.share;
        let pairs = share.of_count(idle.connections / 2);
        let (phase, _) = watch::channel(Phase::Ramp);
        let rate = share.of_rate(idle.ramp_per_second / 2.0).max(0.1);
        let ramp = Stage {
            rate,
            to: None,
            lasts: Span::from_secs((pairs as f64 / rate).ceil() as u64 + 1),
        };
        let (taker, mut planned) = pacer::channel();
        let recorder = Arc::clone(&judge.recorder);
        let start = Instant::now();
        let moments = Schedule::new(&[ramp], 1.0, Arrivals::Uniform, 0).take(pairs);
        // The channel may overflow where connecting is slower than the ramp: then the ramp takes longer.
        pacer::start(start.into_std(), moments, vec![taker], || {});
        let hall = Arc::new(Hall {
            driver,
            judge,
            names,
            idle,
            doors: Semaphore::new(AT_ONCE),
        });
        let ready = Arc::new(Semaphore::new(0));
        let mut holders = JoinSet::new();
        for number in 0..pairs as u64 {
            // A moment that was lost in an overflow has long come.
            let at = planned.recv().await.unwrap_or_default();
            recorder.count(Counter::Planned);
            let late = start.elapsed().saturating_sub(at);
            recorder.time(Metric::StartDelay, late, Duration::ZERO);
            // Waiting here for a door would be waiting for the server: the schedule would adapt to it.
            let (hall, ready, phase) = (Arc::clone(&hall), Arc::clone(&ready), phase.subscribe());
            holders.spawn(async move { hold(&hall, number, late, &ready, phase).await });
        }
        let _ = ready.acquire_many(u32::try_from(pairs).unwrap_or(u32::MAX)).await;
        Self { holders, phase }
    }

    /// The load begins.
    pub(crate) fn begin(&self, start: Instant) {
        self.phase.send_replace(Phase::Load(start));
    }

    /// All leave.
    pub(crate) async fn leave(mut self) {
        self.phase.send_replace(Phase::Leave);
        while self.holders.join_next().await.is_some() {}
    }
}

/// One pair's life.
async fn hold<D: Driver>(
    hall: &Hall<D>,
    number: u64,
    late: Duration,
    ready: &Semaphore,
    mut phase: watch::Receiver<Phase>,
) {
    let mut pair = connect(hall, number, late).await;
    if let Some(pair) = pair.as_mut().filter(|_| hall.idle.traffic) {
        for from in [Which::A, Which::B] {
            pair.send(from, MessageKind::Message, TRAFFIC_BYTES, Duration::ZERO)
                .await;
        }
        pair.settle(TRAFFIC_WITHIN).await;
    }
    ready.add_permits(1);
    let mut storm = None;
    loop {
        if pair.is_none() {
            pair = come_back(hall, number, BACKOFF.0, &phase).await;
        }
        let storm_at = storm.unwrap_or_else(Instant::now);
        tokio::select! {
            changed = phase.changed() => match (*phase.borrow_and_update(), changed) {
                (Phase::Load(start), Ok(())) => storm = hall.idle.storm_at.map(|at| start + at.get()),
                (Phase::Ramp, Ok(())) => {}
                (Phase::Leave, _) | (_, Err(_)) => break,
            },
            event = next(&mut pair) => if matches!(event, Event::Ended) { pair = None },
            () = sleep_until(storm_at), if storm.is_some() => {
                storm = None;
                // Without a goodbye: to the servers it is as if a network were gone.
                if pair.take().is_some() {
                    hall.judge.recorder.add(Counter::Disconnects, 2);
                }
                pair = come_back(hall, number, hall.idle.storm_spread.get(), &phase).await;
            }
        }
    }
    if let Some(pair) = pair {
        pair.close().await;
    }
}

/// Tries until both are connected again, or until all are to leave. The first wait is drawn evenly from zero to
/// `spread`, later ones from zero to bounds that double.
async fn come_back<D: Driver>(
    hall: &Hall<D>,
    number: u64,
    spread: Duration,
    phase: &watch::Receiver<Phase>,
) -> Option<Pair<D>> {
    let lost_at = Instant::now();
    let mut bound = spread;
    let mut next_bound = BACKOFF.0;
    while *phase.borrow() != Phase::Leave {
        let wait = bound.mul_f64(rand::random());
        sleep(wait).await;
        if let Some(pair) = connect(hall, number, Duration::ZERO).await {
            let recorder = &hall.judge.recorder;
            recorder.add(Counter::Reconnects, 2);
            recorder.time(Metric::Reconnect, lost_at.elapsed(), Duration::ZERO);
            return Some(pair);
        }
        bound = next_bound;
        next_bound = (next_bound * 2).min(BACKOFF.1);
    }
    None
}

async fn connect<D: Driver>(hall: &Hall<D>, number: u64, late: Duration) -> Option<Pair<D>> {
    let _door = hall.doors.acquire().await.ok()?;
    let name = PairName {
        population: 'i',
        number,
    };
    Pair::connect(
        &hall.driver,
        &hall.judge,
        &hall.names,
        name,
        Placement::SameNode,
        late,
    )
    .await
    .ok()
}

async fn next<D: Driver>(pair: &mut Option<Pair<D>>) -> Event {
    match pair {
        Some(pair) => pair.next().await,
        None => std::future::pending().await,
    }
}
