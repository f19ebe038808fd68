//! The timeline of a run over all workers: its seconds and its samples, ten a second. A second is closed once every
//! worker is past it. Only open seconds hold histograms, so memory grows by a few figures a second only.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::summary::quantiles;
use crate::{
    record::{Counts, HistogramPair, Metric, Sample, Tick, new_histogram},
    results::Second,
};

/// Open seconds at most; beyond, the oldest is closed even if a worker has not reported it.
const MAX_OPEN: usize = 5;

/// Between two samples, in milliseconds.
const SAMPLE_MS: i64 = 100;

/// Seconds and samples, by number: a second's number is its end, a sample's is its time in tenths of a second.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    open: BTreeMap<i64, OpenSecond>,
    closed: BTreeMap<i64, Second>,
    open_samples: BTreeMap<i64, OpenSample>,
    closed_samples: BTreeMap<i64, Sample>,
    /// What each worker reported last.
    last: Vec<Last>,
}

/// A second that may still get more.
#[derive(Debug, Default)]
struct OpenSecond {
    counts: Counts,
    times: BTreeMap<Metric, Histogram<u64>>,
    /// Connections by node and calls under way, of each worker that has reported.
    reported: BTreeMap<usize, (BTreeMap<String, u64>, u64)>,
    cpu_micros: f64,
}

#[derive(Debug, Default)]
struct OpenSample {
    connections: BTreeMap<usize, u64>,
    failures: u64,
}

/// What holds for a worker until it reports something else.
#[derive(Debug, Clone, Default)]
struct Last {
    /// Its newest second.
    second: Option<i64>,
    connected: BTreeMap<String, u64>,
    calls_under_way: u64,
    connections: u64,
}

impl Timeline {
    /// Of so many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            last: vec![Last::default(); workers],
            ..Self::default()
        }
    }

    /// An empty timeline that goes on where this one is.
    pub(super) fn follow(&self) -> Self {
        let last = self.last.iter().map(|last| Last {
            second: None,
            ..last.clone()
        });
        Self {
            last: last.collect(),
            ..Self::default()
        }
    }

    /// Takes a worker's tick in; its times are in `times`.
    pub(super) fn add(&mut self, worker: usize, tick: &Tick, times: &BTreeMap<Metric, HistogramPair>) {
        let number = number_of(tick);
        if let Some(last) = self.last.get_mut(worker) {
            last.second = last.second.max(Some(number));
        }
        for sample in &tick.samples {
            let number = (sample.at_ms + SAMPLE_MS - 1).div_euclid(SAMPLE_MS);
            if let Some(closed) = self.closed_samples.get_mut(&number) {
                closed.failures += sample.failures;
                continue;
            }
            let open = self.open_samples.entry(number).or_default();
            open.connections.insert(worker, sample.connections);
            open.failures += sample.failures;
        }
        if let Some(second) = self.closed.get_mut(&number) {
            // Too late for its quantiles, but every count is kept.
            for (counter, count) in &tick.counts {
                *second.counts.entry(counter.name().to_owned()).or_default() += count;
            }
            second.generator_cores += tick.usage.cpu_micros / 1e6;
            return;
        }
        let open = self.open.entry(number).or_default();
        for (counter, count) in &tick.counts {
            *open.counts.entry(*counter).or_default() += count;
        }
        for (metric, pair) in times {
            // Both have the same bounds: that was checked when it was read.
            let _ = open
                .times
                .entry(*metric)
                .or_insert_with(new_histogram)
                .add(&pair.corrected);
        }
        open.reported
            .insert(worker, (tick.connected.clone(), tick.calls_under_way));
        open.cpu_micros += tick.usage.cpu_micros;
        while let Some(oldest) = self.open.keys().next().copied() {
            let are_past = self.last.iter().all(|last| last.second > Some(oldest));
            if !are_past && self.open.len() <= MAX_OPEN {
                break;
            }
            self.close_oldest();
        }
    }

    /// A tick of a worker whose work has ended: it is not of a whole second, so it counts in the totals only.
    pub(super) fn add_after_end(&mut self, worker: usize, tick: &Tick) {
        if let Some(last) = self.last.get_mut(worker) {
            last.second = last.second.max(Some(number_of(tick)));
        }
    }

    /// Closes the seconds that all workers have reported, and leaves out the others.
    pub(super) fn leave_out_open(&mut self) {
        let reported = self.reported_s();
        while self.open.keys().next().is_some_and(|oldest| *oldest <= reported) {
            self.close_oldest();
        }
        self.open.clear();
    }

    /// The newest second that all workers have reported; 0 before.
    pub(super) fn reported_s(&self) -> i64 {
        let seconds = self.last.iter().map(|last| last.second.unwrap_or_default());
        seconds.min().unwrap_or_default()
    }

    /// Closes the oldest second and the samples up to its end.
    fn close_oldest(&mut self) {
        let Some((number, open)) = self.open.pop_first() else {
            return;
        };
        for (worker, (connected, calls)) in open.reported {
            if let Some(last) = self.last.get_mut(worker) {
                (last.connected, last.calls_under_way) = (connected, calls);
            }
        }
        let mut connected = BTreeMap::new();
        for (node, count) in self.last.iter().flat_map(|last| &last.connected) {
            *connected.entry(node.clone()).or_default() += count;
        }
        let (counts, times) = (open.counts.iter(), open.times.iter());
        let second = Second {
            at_s: number as f64,
            counts: counts
                .map(|(counter, count)| (counter.name().to_owned(), *count))
                .collect(),
            times: times
                .map(|(metric, times)| (metric.name().to_owned(), quantiles(times)))
                .collect(),
            connected,
            calls_under_way: self.last.iter().map(|last| last.calls_under_way).sum(),
            server_cores: BTreeMap::new(),
            generator_cores: open.cpu_micros / 1e6,
        };
        self.closed.insert(number, second);
        self.close_samples(number * (1_000 / SAMPLE_MS));
    }

    /// Closes all samples up to that one.
    fn close_samples(&mut self, newest: i64) {
        while let Some((number, open)) = self.open_samples.pop_first() {
            if number > newest {
                self.open_samples.insert(number, open);
                return;
            }
            for (worker, connections) in open.connections {
                if let Some(last) = self.last.get_mut(worker) {
                    last.connections = connections;
                }
            }
            let connections = self.last.iter().map(|last| last.connections).sum();
            let sample = Sample {
                at_ms: number * SAMPLE_MS,
                connections,
                failures: open.failures,
            };
            self.closed_samples.insert(number, sample);
        }
    }

    /// Nothing more comes.
    pub(super) fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close_oldest();
        }
        self.close_samples(i64::MAX);
    }

    /// The closed seconds, oldest first.
    pub(super) fn seconds(&self) -> impl DoubleEndedIterator<Item = &Second> {
        self.closed.values()
    }

    /// The closed samples, oldest first.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.closed_samples.values()
    }
}

/// The second that a tick is of.
const fn number_of(tick: &Tick) -> i64 {
    (tick.at_ms + 500).div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Counter;

    fn add(timeline: &mut Timeline, worker: usize, at_ms: i64, connections: u64) {
        let tick = Tick {
            at_ms,
            connected: BTreeMap::from([("n1".to_owned(), connections)]),
            samples: vec![Sample {
                at_ms: at_ms - 50,
                connections,
                failures: 1,
            }],
            ..Tick::default()
        };
        timeline.add(worker, &tick, &BTreeMap::new());
    }

    #[test]
    fn a_second_is_closed_when_all_workers_are_past_it() {
        let mut timeline = Timeline::new(2);
        add(&mut timeline, 0, 1_003, 3);
        add(&mut timeline, 0, 2_003, 3);
        assert_eq!(timeline.seconds().count(), 0);
        add(&mut timeline, 1, 1_001, 4);
        add(&mut timeline, 1, 2_001, 4);
        let seconds: Vec<_> = timeline.seconds().collect();
        assert_eq!((seconds.len(), seconds[0].connected["n1"]), (1, 7));
        let expected = Sample {
            at_ms: 1_000,
            connections: 7,
            failures: 2,
        };
        assert_eq!(timeline.samples().next(), Some(&expected));
    }

    #[test]
    fn the_end_of_the_work_is_no_second_with_zeros() {
        let sent = |at_ms, count| Tick {
            at_ms,
            counts: Counts::from([(Counter::Sent, count)]),
            ..Tick::default()
        };
        let mut timeline = Timeline::new(2);
        for worker in 0..2 {
            timeline.add(worker, &sent(1_000, 5), &BTreeMap::new());
            timeline.add(worker, &sent(2_000, 5), &BTreeMap::new());
        }
        // One has reported a second more when the user stops both.
        timeline.add(1, &sent(3_000, 2), &BTreeMap::new());
        timeline.leave_out_open();
        // The work of both has ended, and their connections close.
        timeline.add_after_end(0, &sent(3_700, 1));
        timeline.close_all();
        let seconds = timeline
            .seconds()
            .map(|second| (second.at_s, second.counts["sent"]));
        assert_eq!(seconds.collect::<Vec<_>>(), [(1.0, 10), (2.0, 10)]);
    }

    #[test]
    fn a_silent_worker_keeps_few_seconds_open_and_counts_as_it_last_was() {
        let mut timeline = Timeline::new(2);
        add(&mut timeline, 1, 1_000, 4);
        for second in 1..20 {
            add(&mut timeline, 0, second * 1_000, 3);
        }
        assert_eq!(timeline.open.len(), MAX_OPEN);
        assert_eq!(timeline.seconds().next_back().unwrap().connected["n1"], 7);
        assert_eq!(timeline.samples().last().unwrap().connections, 7);
        let mut next = timeline.follow();
        timeline.close_all();
        assert_eq!(timeline.seconds().count(), 19);
        for second in 1..=MAX_OPEN as i64 + 1 {
            add(&mut next, 0, second * 1_000, 5);
        }
        assert_eq!(next.seconds().next().unwrap().connected["n1"], 9);
    }
}
