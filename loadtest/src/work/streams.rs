//! Pairs that stay and send to each other steadily, some of them slow readers if the scenario wants it. Open: at
//! planned moments. Closed: as soon as an earlier message has its outcome.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::MessageKind;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    oracle::Oracle,
    pacer::{MAX_BACKLOG, Starts},
    pair::{Event, Pair, Which},
    schedule::{Schedule, rate_at},
    share::{Names, PairName},
};
use crate::{
    drivers::{Driver, Refusal},
    record::Counter,
    scenario::{Model, Slow, Streams, length_of},
};

/// Connects under way at once.
const MAX_AT_ONCE: usize = 64;

/// The pairs of this worker, connected.
pub(crate) struct ConnectedStreams<D: Driver> {
    pairs: Vec<Pair<D>>,
    streams: Streams,
    oracle: Arc<Oracle>,
}

impl<D: Driver> ConnectedStreams<D> {
    /// Connects this worker's pairs.
    pub(crate) async fn connect(
        driver: D,
        oracle: Arc<Oracle>,
        names: Names,
        streams: Streams,
    ) -> Result<Self, Refusal> {
        let count = names.share.of_count(streams.pairs);
        let names = Names {
            rotates: streams.both_ways,
            ..names
        };
        let shared = Arc::new((driver, names));
        let (mut pairs, mut connecting) = (Vec::with_capacity(count), JoinSet::new());
        for number in 0..count as u64 {
            if connecting.len() >= MAX_AT_ONCE {
                pairs.extend(connected(&mut connecting).await?);
            }
            let (shared, oracle, placement) = (Arc::clone(&shared), Arc::clone(&oracle), streams.placement);
            connecting.spawn(async move {
                let (driver, names) = &*shared;
                let name = PairName {
                    population: 's',
                    number,
                };
                Pair::connect(driver, &oracle, names, name, placement, Duration::ZERO).await
            });
        }
        while let Some(pair) = connected(&mut connecting).await? {
            pairs.push(pair);
        }
        for pair in pairs.iter_mut().take(slow_pairs(&streams, count)) {
            pair.leave_untimed();
        }
        Ok(Self {
            pairs,
            streams,
            oracle,
        })
    }

    /// Runs the stages from `start` on, and every send to its end. `share` is this worker's share of the rates.
    pub(crate) async fn run(self, start: Instant, share: f64, seed: u64, settle: Duration) {
        let Self {
            pairs,
            streams,
            oracle,
        } = self;
        let count = pairs.len();
        let slow_pairs = slow_pairs(&streams, count);
        // In the closed model nothing is planned: a pair's channel then has no starts in it.
        let stages = if streams.model == Model::Open {
            streams.stages.as_slice()
        } else {
            &[]
        };
        let moments = Schedule::new(stages, share, streams.arrivals, seed);
        let starts = Starts::shared(moments, start, &oracle.recorder, count, MAX_BACKLOG);
        let streams = Arc::new(streams);
        let mut running = JoinSet::new();
        for (number, (pair, starts)) in pairs.into_iter().zip(starts).enumerate() {
            let stream = Stream {
                pair,
                oracle: Arc::clone(&oracle),
                share: share / count as f64,
                slow: streams.slow.filter(|_| number < slow_pairs),
                streams: Arc::clone(&streams),
                start,
            };
            running.spawn(stream.run(starts, settle));
        }
        while running.join_next().await.is_some() {}
    }
}

/// How many of `pairs`, from the first on, have a receiver that is slow.
fn slow_pairs(streams: &Streams, pairs: usize) -> usize {
    let share = streams.slow.map_or(0.0, |slow| slow.share);
    (pairs as f64 * share).round() as usize
}

async fn connected<D: Driver>(
    connecting: &mut JoinSet<Result<Pair<D>, Refusal>>,
) -> Result<Option<Pair<D>>, Refusal> {
    match connecting.join_next().await {
        Some(Ok(pair)) => pair.map(Some),
        Some(Err(error)) => Err(Refusal(error.to_string())),
        None => Ok(None),
    }
}

/// One pair that sends.
struct Stream<D: Driver> {
    pair: Pair<D>,
    oracle: Arc<Oracle>,
    streams: Arc<Streams>,
    /// Its share of the stages' rates.
    share: f64,
    slow: Option<Slow>,
    start: Instant,
}

impl<D: Driver> Stream<D> {
    async fn run(mut self, mut starts: Starts, settle: Duration) {
        let end = self.start + length_of(&self.streams.stages);
        let is_closed = self.streams.model == Model::Closed;
        let mut is_sending = !is_closed;
        let mut from = Which::A;
        let mut is_paused = false;
        // Slow receivers begin by reading.
        let mut turn = self.slow.map(|slow| self.start + slow.reads.get());
        if is_closed {
            sleep_until(self.start).await;
        }
        loop {
            let turn_at = turn.unwrap_or(self.start);
            tokio::select! {
                late = starts.next(), if is_sending => match late {
                    Some(late) => self.send(&mut from, late).await,
                    None => is_sending = false,
                },
                () = std::future::ready(()), if is_closed && self.has_room() => {
                    self.oracle.recorder.count(Counter::Planned);
                    self.send(&mut from, Duration::ZERO).await;
                }
                event = self.pair.next() => {
                    if matches!(event, Event::Ended) {
                        self.oracle.recorder.error("streams: a connection ended");
                        break;
                    }
                }
                // All stay connected until the end: the number of connections is part of the measurement.
                () = sleep_until(end), if !is_sending => break,
                () = sleep_until(turn_at), if turn.is_some() => {
                    is_paused = !is_paused;
                    self.pair.set_paused(Which::B, is_paused);
                    let lasts = self.slow.map(|slow| if is_paused { slow.pause } else { slow.reads });
                    turn = lasts.map(|lasts| Instant::now() + lasts.get());
                }
            }
        }
        drop(starts);
        self.pair.settle(settle).await;
        self.pair.close().await;
    }

    /// Whether the closed model allows one more unfinished message now.
    fn has_room(&self) -> bool {
        let wanted = rate_at(&self.streams.stages, self.start.elapsed()) * self.share;
        (self.pair.unfinished() as f64) < wanted.round()
    }

    async fn send(&mut self, from: &mut Which, late: Duration) {
        self.pair
            .send(*from, MessageKind::Message, self.streams.payload_bytes, late)
            .await;
        // Only towards a slow receiver: it could not read the outcomes of its own sends.
        if self.slow.is_none() && self.streams.both_ways {
            *from = from.other();
        }
    }
}
