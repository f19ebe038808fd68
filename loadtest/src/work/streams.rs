//! Pairs that stay and send to each other steadily, some of them slow readers if the scenario wants it.

use std::{ops::Range, sync::Arc, time::Duration};

use switchboard_protocol::MessageKind;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    judge::Judge,
    pacer,
    pair::{Event, Pair, Which},
    schedule::{self, Schedule},
    share::{Names, PairName},
};
use crate::{
    drivers::{Driver, Refusal},
    record::{Counter, Metric},
    scenario::{Slow, Streams},
};

/// Connects under way at once.
const AT_ONCE: usize = 64;

/// The pairs of this worker, connected.
pub(crate) struct Talkers<D: Driver> {
    pairs: Vec<Pair<D>>,
    streams: Streams,
    judge: Arc<Judge>,
}

impl<D: Driver> Talkers<D> {
    /// Connects this worker's pairs.
    pub(crate) async fn connect(
        driver: D,
        judge: Arc<Judge>,
        names: Names,
        streams: Streams,
    ) -> Result<Self, Refusal> {
        let count = names.share.of_count(streams.pairs);
        let (driver, names) = (Arc::new(driver), Arc::new(names));
        let mut pairs = Vec::with_capacity(count);
        let mut connecting = JoinSet::new();
        for number in 0..count as u64 {
            if connecting.len() >= AT_ONCE {
                pairs.extend(connected(&mut connecting).await?);
            }
            let (driver, names, judge) = (Arc::clone(&driver), Arc::clone(&names), Arc::clone(&judge));
            let placement = streams.placement;
            connecting.spawn(async move {
                let pair = PairName {
                    population: 's',
                    number,
                };
                Pair::connect(&*driver, &judge, &names, pair, placement, Duration::ZERO).await
            });
        }
        while let Some(pair) = connected(&mut connecting).await? {
            pairs.push(pair);
        }
        if let Some(slow) = streams.slow {
            let slow_pairs = (count as f64 * slow.share).round() as usize;
            for pair in pairs.iter_mut().take(slow_pairs) {
                pair.leave_untimed(Which::B);
            }
        }
        Ok(Self {
            pairs,
            streams,
            judge,
        })
    }

    /// Runs the stages from `start` on, and every send to its end.
    pub(crate) async fn run(self, start: Instant, share: f64, seed: u64, settle: Duration) {
        let moments = Schedule::new(&self.streams.stages, share, self.streams.arrivals, seed);
        let (takers, moments_of): (Vec<_>, Vec<_>) = self.pairs.iter().map(|_| pacer::channel()).unzip();
        let recorder = Arc::clone(&self.judge.recorder);
        pacer::start(start.into_std(), moments, takers, move || {
            recorder.count(Counter::Planned);
            recorder.count(Counter::Dropped);
        });
        let slow_pairs = self
            .streams
            .slow
            .map_or(0, |slow| (self.pairs.len() as f64 * slow.share).round() as usize);
        let end = start + schedule::length(&self.streams.stages);
        let mut running = JoinSet::new();
        for (number, (pair, moments)) in self.pairs.into_iter().zip(moments_of).enumerate() {
            let talker = Talker {
                pair,
                judge: Arc::clone(&self.judge),
                bytes: self.streams.payload_bytes,
                slow: self.streams.slow.filter(|_| number < slow_pairs),
            };
            running.spawn(talker.run(start..end, moments, settle));
        }
        while running.join_next().await.is_some() {}
    }
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

struct Talker<D: Driver> {
    pair: Pair<D>,
    judge: Arc<Judge>,
    bytes: usize,
    slow: Option<Slow>,
}

impl<D: Driver> Talker<D> {
    async fn run(mut self, load: Range<Instant>, mut moments: mpsc::Receiver<Duration>, settle: Duration) {
        let start = load.start;
        let mut is_sending = true;
        let recorder = Arc::clone(&self.judge.recorder);
        let mut from = Which::A;
        let mut is_deaf = false;
        // Slow receivers begin by reading.
        let mut turn = self.slow.map(|slow| start + slow.reads.get());
        loop {
            let turn_at = turn.unwrap_or(start);
            tokio::select! {
                moment = moments.recv(), if is_sending => {
                    let Some(at) = moment else {
                        is_sending = false;
                        continue;
                    };
                    recorder.count(Counter::Planned);
                    let late = start.elapsed().saturating_sub(at);
                    recorder.time(Metric::StartDelay, late, Duration::ZERO);
                    self.pair.send(from, MessageKind::Message, self.bytes, late).await;
                    // Towards a slow receiver only: it could not hear the words on what it sends itself.
                    if self.slow.is_none() {
                        from = from.other();
                    }
                }
                event = self.pair.next() => {
                    if matches!(event, Event::Ended) {
                        recorder.error("streams: a connection ended");
                        break;
                    }
                }
                // Nobody leaves before the end: who is connected then is part of what is measured.
                () = sleep_until(load.end), if !is_sending => break,
                () = sleep_until(turn_at), if turn.is_some() => {
                    is_deaf = !is_deaf;
                    self.pair.set_deaf(Which::B, is_deaf);
                    let lasts = self.slow.map(|slow| if is_deaf { slow.pause } else { slow.reads });
                    turn = lasts.map(|lasts| Instant::now() + lasts.get());
                }
            }
        }
        drop(moments);
        self.pair.settle(settle).await;
        self.pair.close().await;
    }
}
