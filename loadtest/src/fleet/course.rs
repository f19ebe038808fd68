//! The course of a run over all workers: its seconds and its looks, ten a second. A second is closed once every
//! worker is past it; only seconds that are not closed hold histograms, so memory does not grow with the run's
//! length by more than a few figures a second.

use std::{collections::BTreeMap, mem};

use hdrhistogram::Histogram;

use super::summary::quantiles;
use crate::{
    record::{Counts, HistogramPair, Metric, Sample, Tick},
    results::Second,
};

/// Seconds that are open at most; beyond, the oldest is closed, whoever has not spoken.
const MAX_OPEN: usize = 5;

/// Between two looks, in milliseconds.
const LOOK_MS: i64 = 100;

/// Seconds and looks, by number: a second's number is its end, a look's is its time in tenths of a second.
#[derive(Debug, Default)]
pub(super) struct Course {
    open: BTreeMap<i64, Open>,
    closed: BTreeMap<i64, Second>,
    open_looks: BTreeMap<i64, Look>,
    closed_looks: BTreeMap<i64, Sample>,
    /// What each worker said last.
    last: Vec<Last>,
}

/// A second that may still get more.
#[derive(Debug, Default)]
struct Open {
    counts: Counts,
    times: BTreeMap<Metric, Histogram<u64>>,
    /// Of each worker that has spoken.
    said: BTreeMap<usize, (BTreeMap<String, u64>, u64)>,
    cpu_micros: f64,
}

#[derive(Debug, Default)]
struct Look {
    connections: BTreeMap<usize, u64>,
    failures: u64,
}

/// What stays true of a worker until it says something else.
#[derive(Debug, Default)]
struct Last {
    /// Its newest second.
    second: Option<i64>,
    connected: BTreeMap<String, u64>,
    calls_under_way: u64,
    connections: u64,
}

/// The number of the second that ends (about) then.
const fn second_of(at_ms: i64) -> i64 {
    (at_ms + 500).div_euclid(1_000)
}

const fn look_of(at_ms: i64) -> i64 {
    (at_ms + LOOK_MS - 1).div_euclid(LOOK_MS)
}

impl Course {
    /// Of so many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            last: (0..workers).map(|_| Last::default()).collect(),
            ..Self::default()
        }
    }

    /// Takes a worker's tick in; its times are in `times`. `moved_ms` is added to all its moments.
    pub(super) fn add(
        &mut self,
        worker: usize,
        tick: &Tick,
        times: &BTreeMap<Metric, HistogramPair>,
        moved_ms: i64,
    ) {
        let number = second_of(tick.at_ms + moved_ms);
        if let Some(last) = self.last.get_mut(worker) {
            last.second = last.second.max(Some(number));
        }
        for sample in &tick.samples {
            self.look(worker, sample, moved_ms);
        }
        if let Some(second) = self.closed.get_mut(&number) {
            // Too late for its quantiles, but nothing that is counted is lost.
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
            let sum = open
                .times
                .entry(*metric)
                .or_insert_with(crate::record::new_histogram);
            // Both have the same bounds: that was looked at when it was read.
            let _ = sum.add(&pair.corrected);
        }
        open.said
            .insert(worker, (tick.connected.clone(), tick.calls_under_way));
        open.cpu_micros += tick.usage.cpu_micros;
        while let Some(oldest) = self.open.keys().next().copied() {
            let are_past = self.last.iter().all(|last| last.second > Some(oldest));
            if !are_past && self.open.len() <= MAX_OPEN {
                break;
            }
            self.close(oldest);
        }
    }

    fn look(&mut self, worker: usize, sample: &Sample, moved_ms: i64) {
        let number = look_of(sample.at_ms + moved_ms);
        if let Some(closed) = self.closed_looks.get_mut(&number) {
            closed.failures += sample.failures;
            return;
        }
        let look = self.open_looks.entry(number).or_default();
        look.connections.insert(worker, sample.connections);
        look.failures += sample.failures;
    }

    /// Closes a second and the looks up to its end.
    fn close(&mut self, number: i64) {
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        for (worker, (connected, calls)) in open.said {
            if let Some(last) = self.last.get_mut(worker) {
                last.connected = connected;
                last.calls_under_way = calls;
            }
        }
        let mut connected = BTreeMap::new();
        for (node, count) in self.last.iter().flat_map(|last| &last.connected) {
            *connected.entry(node.clone()).or_default() += count;
        }
        let second = Second {
            at_s: number as f64,
            counts: open
                .counts
                .iter()
                .map(|(counter, count)| (counter.name().to_owned(), *count))
                .collect(),
            times: open
                .times
                .iter()
                .map(|(metric, times)| (metric.name().to_owned(), quantiles(times)))
                .collect(),
            connected,
            calls_under_way: self.last.iter().map(|last| last.calls_under_way).sum(),
            server_cores: BTreeMap::new(),
            generator_cores: open.cpu_micros / 1e6,
        };
        self.closed.insert(number, second);
        self.close_looks(number * (1_000 / LOOK_MS));
    }

    /// Closes all looks up to that one.
    fn close_looks(&mut self, newest: i64) {
        while let Some(entry) = self
            .open_looks
            .first_entry()
            .filter(|entry| *entry.key() <= newest)
        {
            let (number, look) = entry.remove_entry();
            for (worker, connections) in look.connections {
                if let Some(last) = self.last.get_mut(worker) {
                    last.connections = connections;
                }
            }
            let sample = Sample {
                at_ms: number * LOOK_MS,
                connections: self.last.iter().map(|last| last.connections).sum(),
                failures: look.failures,
            };
            self.closed_looks.insert(number, sample);
        }
    }

    /// Moves all there is by so many milliseconds, rounded to whole seconds.
    pub(super) fn shift(&mut self, moved_ms: i64) {
        let seconds = second_of(moved_ms);
        let looks = seconds * (1_000 / LOOK_MS);
        self.open = shifted(&mut self.open, seconds);
        self.closed = shifted(&mut self.closed, seconds);
        self.open_looks = shifted(&mut self.open_looks, looks);
        self.closed_looks = shifted(&mut self.closed_looks, looks);
        for (number, second) in &mut self.closed {
            second.at_s = *number as f64;
        }
        for (number, sample) in &mut self.closed_looks {
            sample.at_ms = number * LOOK_MS;
        }
        for last in &mut self.last {
            last.second = last.second.map(|second| second + seconds);
        }
    }

    /// Nothing more comes.
    pub(super) fn close_all(&mut self) {
        while let Some(oldest) = self.open.keys().next().copied() {
            self.close(oldest);
        }
        self.close_looks(i64::MAX);
    }

    /// The newest closed seconds, oldest first.
    pub(super) fn newest(&self, most: usize) -> impl Iterator<Item = &Second> {
        let skipped = self.closed.len().saturating_sub(most);
        self.closed.values().skip(skipped)
    }

    /// The closed looks, oldest first.
    pub(super) fn looks(&self) -> impl Iterator<Item = &Sample> {
        self.closed_looks.values()
    }

    /// All closed seconds.
    pub(super) fn into_seconds(self) -> Vec<Second> {
        self.closed.into_values().collect()
    }
}

fn shifted<T>(map: &mut BTreeMap<i64, T>, by: i64) -> BTreeMap<i64, T> {
    mem::take(map)
        .into_iter()
        .map(|(number, what)| (number + by, what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(at_ms: i64, connections: u64) -> Tick {
        Tick {
            at_ms,
            connected: BTreeMap::from([("n1".to_owned(), connections)]),
            samples: vec![Sample {
                at_ms: at_ms - 20,
                connections,
                failures: 1,
            }],
            ..Tick::default()
        }
    }

    fn add(course: &mut Course, worker: usize, tick: &Tick) {
        course.add(worker, tick, &BTreeMap::new(), 0);
    }

    #[test]
    fn a_second_is_closed_when_all_workers_are_past_it() {
        let mut course = Course::new(2);
        add(&mut course, 0, &tick(1_003, 3));
        add(&mut course, 0, &tick(2_003, 3));
        assert_eq!(course.newest(9).count(), 0);
        add(&mut course, 1, &tick(1_001, 4));
        add(&mut course, 1, &tick(2_001, 4));
        let seconds: Vec<_> = course.newest(9).collect();
        assert_eq!(seconds.len(), 1);
        assert_eq!(seconds[0].connected["n1"], 7);
        assert_eq!(
            *course.looks().next().unwrap(),
            Sample {
                at_ms: 1_000,
                connections: 7,
                failures: 2
            }
        );
    }

    #[test]
    fn a_silent_worker_keeps_few_seconds_open_and_counts_as_it_last_was() {
        let mut course = Course::new(2);
        add(&mut course, 1, &tick(1_000, 4));
        for second in 1..20 {
            add(&mut course, 0, &tick(second * 1_000, 3));
        }
        assert_eq!(course.open.len(), MAX_OPEN);
        assert_eq!(course.newest(1).next().unwrap().connected["n1"], 7);
        assert_eq!(course.looks().last().unwrap().connections, 7);
        course.close_all();
        assert_eq!(course.into_seconds().len(), 19);
    }

    #[test]
    fn the_ramp_is_moved_before_the_start() {
        let mut course = Course::new(1);
        for second in 1..=4 {
            add(&mut course, 0, &tick(second * 1_000, 1));
        }
        course.shift(-4_200);
        course.add(0, &tick(4_700, 1), &BTreeMap::new(), -4_700);
        add(&mut course, 0, &tick(1_000, 1));
        course.close_all();
        assert_eq!(course.looks().next().unwrap().at_ms, -3_000);
        let at: Vec<i64> = course
            .into_seconds()
            .iter()
            .map(|second| second.at_s as i64)
            .collect();
        assert_eq!(at, [-3, -2, -1, 0, 1]);
    }
}
