//! The recorder of one worker. It is cheap enough for every message: a counter costs one atomic add, a time one short
//! lock.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Counter, Counts, EncodedPair, ErrorTally, HistogramPair, Metric, Sample, Tick, WorkerUsage};

/// Distinct node names; connections to further nodes count as `?`.
const MAX_NODES: usize = 256;

/// Samples between two ticks, at most; further ones are dropped.
const MAX_SAMPLES: usize = 100;

/// Counters and times of one worker since the last [`Recorder::tick`].
#[derive(Debug)]
pub struct Recorder {
    counts: Vec<AtomicU64>,
    times: Vec<Mutex<HistogramPair>>,
    errors: Mutex<ErrorTally>,
    connected: Mutex<BTreeMap<String, u64>>,
    calls_under_way: AtomicU64,
    /// Lost connections and send errors since the last sample.
    failures: AtomicU64,
    samples: Mutex<Vec<Sample>>,
    last_tick: Mutex<Instant>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            counts: Counter::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            times: Metric::ALL.iter().map(|_| Mutex::default()).collect(),
            errors: Mutex::default(),
            connected: Mutex::default(),
            calls_under_way: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            samples: Mutex::default(),
            last_tick: Mutex::new(Instant::now()),
        }
    }
}

impl Recorder {
    /// Adds one.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds `more`.
    pub fn add(&self, counter: Counter, more: u64) {
        if let Some(count) = self.counts.get(counter as usize) {
            count.fetch_add(more, Ordering::Relaxed);
        }
        if matches!(counter, Counter::Disconnects | Counter::SendErrors) {
            self.failures.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Takes a sample; to be called ten times per second.
    pub fn sample(&self, at_ms: i64) {
        let sample = Sample {
            at_ms,
            connections: self.connections(),
            failures: self.failures.swap(0, Ordering::Relaxed),
        };
        let mut samples = self.samples.lock();
        if samples.len() < MAX_SAMPLES {
            samples.push(sample);
        }
    }

    /// Records a time from the actual start; `late` is the delay of that start.
    pub fn time(&self, metric: Metric, took: Duration, late: Duration) {
        let index = Metric::ALL.iter().position(|known| *known == metric);
        if let Some(times) = index.and_then(|index| self.times.get(index)) {
            let mut times = times.lock();
            times.uncorrected.saturating_record(nanoseconds(took));
            times.corrected.saturating_record(nanoseconds(took + late));
        }
    }

    /// Records an error; its text must be short and without names that clients choose.
    pub fn error(&self, text: &str) {
        self.errors.lock().add(text, 1);
    }

    /// A connection to `node` is open.
    pub fn connected(&self, node: &str) {
        let mut connected = self.connected.lock();
        let is_known = connected.contains_key(node) || connected.len() < MAX_NODES;
        let node = if is_known { node } else { "?" };
        *connected.entry(node.to_owned()).or_default() += 1;
    }

    /// A connection to `node` is closed.
    pub fn disconnected(&self, node: &str) {
        let mut connected = self.connected.lock();
        let node = if connected.contains_key(node) { node } else { "?" };
        if let Some(count) = connected.get_mut(node) {
            *count = count.saturating_sub(1);
        }
    }

    /// Connections now.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connected.lock().values().sum()
    }

    /// A call starts.
    pub fn call_begins(&self) {
        self.calls_under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// A call ends.
    pub fn call_ends(&self) {
        self.calls_under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Calls under way now.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls_under_way.load(Ordering::Relaxed)
    }

    /// Takes everything that was recorded since the last tick.
    ///
    /// # Errors
    /// When a histogram cannot be encoded; never seen.
    pub fn tick(&self, at_ms: i64, usage: WorkerUsage) -> anyhow::Result<Tick> {
        let span = std::mem::replace(&mut *self.last_tick.lock(), Instant::now()).elapsed();
        let counts: Counts = Counter::ALL
            .iter()
            .zip(&self.counts)
            .map(|(counter, count)| (*counter, count.swap(0, Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let mut times = BTreeMap::new();
        for (metric, pair) in Metric::ALL.iter().zip(&self.times) {
            // Encoding takes long, so the lock is released before it.
            let taken = {
                let mut pair = pair.lock();
                if pair.uncorrected.is_empty() {
                    continue;
                }
                std::mem::take(&mut *pair)
            };
            times.insert(*metric, EncodedPair::of(&taken)?);
        }
        Ok(Tick {
            at_ms,
            span_ms: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            counts,
            times,
            errors: std::mem::take(&mut *self.errors.lock()),
            connected: self.connected.lock().clone(),
            calls_under_way: self.calls(),
            samples: std::mem::take(&mut *self.samples.lock()),
            usage,
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_takes_counters_and_times_and_keeps_open_connections() {
        let recorder = Recorder::default();
        recorder.count(Counter::Sent);
        recorder.time(Metric::OneWay, Duration::from_millis(2), Duration::from_millis(1));
        recorder.connected("n1");
        let first = recorder.tick(1_000, WorkerUsage::default()).unwrap();
        assert_eq!(first.counts, Counts::from([(Counter::Sent, 1)]));
        let one_way = first.times[&Metric::OneWay].pair().unwrap();
        assert!(one_way.corrected.min() > one_way.uncorrected.min());
        let second = recorder.tick(2_000, WorkerUsage::default()).unwrap();
        assert!(second.counts.is_empty() && second.times.is_empty());
        assert_eq!(second.connected["n1"], 1);
    }
}
