//! What all workers saw, added up: totals, the course, and what the generator used.
//!
//! Totals (`counts`, `times`, `errors`) cover everything from `Prepare` to the last word, the ramp included: its
//! connects are the connects. What the generator used covers the load and its settling only.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};

use super::{course::Course, summary};
use crate::{
    record::{Counter, Counts, ErrorTally, HistogramPair, Metric, Sample, Tick, new_histogram},
    results::{GeneratorUse, Quantiles, RunResult, Second},
};

/// The longest run, in milliseconds: a day. A tick from beyond is nonsense, and would fill the memory.
const MOST_MS: i64 = 24 * 3_600_000;

/// A tick whose histograms are read.
#[derive(Debug)]
pub(crate) struct Opened {
    tick: Tick,
    times: BTreeMap<Metric, HistogramPair>,
    is_ramp: bool,
}

impl Opened {
    /// Reads it. `is_ramp`: its times count from `Prepare`.
    ///
    /// # Errors
    /// When a histogram is none or not one of ours, or a time is beyond a day.
    pub(crate) fn new(mut tick: Tick, is_ramp: bool) -> anyhow::Result<Self> {
        let moments = tick.samples.iter().map(|sample| sample.at_ms).chain([tick.at_ms]);
        for at_ms in moments {
            ensure!(
                at_ms.saturating_abs() <= MOST_MS,
                "a tick from {at_ms} ms is not of this run"
            );
        }
        let bounds = new_histogram();
        let mut times = BTreeMap::new();
        for (metric, text) in std::mem::take(&mut tick.times) {
            let pair = text.pair()?;
            for histogram in [&pair.corrected, &pair.uncorrected] {
                if (histogram.low(), histogram.high(), histogram.sigfig())
                    != (bounds.low(), bounds.high(), bounds.sigfig())
                {
                    bail!("a histogram has other bounds than here: is it the same build?");
                }
            }
            times.insert(metric, pair);
        }
        Ok(Self { tick, times, is_ramp })
    }
}

/// The sum of all workers.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    counts: Counts,
    times: BTreeMap<Metric, HistogramPair>,
    errors: ErrorTally,
    course: Course,
    uses: Vec<Use>,
    resident_max_kib: f64,
    stories: Vec<String>,
    /// From `Prepare` to the start of the load, once that is known.
    ramp_ms: Option<i64>,
}

/// What one worker used.
#[derive(Debug, Default)]
struct Use {
    cpu_micros: f64,
    span_ms: u64,
    resident_kib: f64,
    has_ended: bool,
}

/// How a run stands, for whoever watches it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    /// The newest seconds that all workers are past, oldest first.
    pub(crate) seconds: Vec<Second>,
    /// How often each thing happened so far.
    pub(crate) counts: Counts,
    /// Corrected times so far.
    pub(crate) times: BTreeMap<Metric, Quantiles>,
    /// What went wrong so far.
    pub(crate) errors: ErrorTally,
}

impl Merged {
    /// Of so many workers, of which nothing is known yet.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            course: Course::new(workers),
            uses: (0..workers).map(|_| Use::default()).collect(),
            ..Self::default()
        }
    }

    /// Takes in what a worker saw.
    pub(crate) fn add(&mut self, worker: usize, opened: &Opened) {
        let Opened { tick, times, is_ramp } = opened;
        for (counter, count) in &tick.counts {
            *self.counts.entry(*counter).or_default() += count;
        }
        for (metric, pair) in times {
            self.times.entry(*metric).or_default().add(pair);
        }
        self.errors.merge(&tick.errors);
        if let Some(used) = self.uses.get_mut(worker) {
            used.resident_kib = tick.usage.resident_kib;
            if !is_ramp && tick.at_ms > 0 && !used.has_ended {
                used.cpu_micros += tick.usage.cpu_micros;
                used.span_ms += tick.span_ms;
            }
        }
        let resident_kib = self.uses.iter().map(|used| used.resident_kib).sum();
        self.resident_max_kib = self.resident_max_kib.max(resident_kib);
        let moved_ms = if *is_ramp { -self.ramp_ms.unwrap_or(0) } else { 0 };
        self.course.add(worker, tick, times, moved_ms);
    }

    /// The load starts (or will start) this long after `Prepare`. What was seen before is moved below 0, with the
    /// precision of a second.
    pub(crate) fn begins(&mut self, ramp_ms: i64) {
        let before = self.ramp_ms.replace(ramp_ms).unwrap_or(0);
        self.course.shift(before - ramp_ms);
    }

    /// A worker's load has ended.
    pub(crate) fn ended(&mut self, worker: usize, stories: Vec<String>) {
        self.stories.extend(stories);
        if let Some(used) = self.uses.get_mut(worker) {
            used.has_ended = true;
        }
    }

    /// How it stands, with the newest `seconds`.
    pub(crate) fn live(&self, seconds: usize) -> Live {
        let times = self.times.iter();
        Live {
            seconds: self.course.newest(seconds).cloned().collect(),
            counts: self.counts.clone(),
            times: times
                .map(|(metric, pair)| (*metric, summary::quantiles(&pair.corrected)))
                .collect(),
            errors: self.errors.clone(),
        }
    }

    /// The looks at the connections over all workers so far, ten a second, oldest first. A worker that missed one
    /// counts as it last was.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.course.looks().copied().collect()
    }

    /// Nothing more comes.
    pub(crate) fn close(&mut self) {
        self.course.close_all();
    }

    /// The part of the result that workers know. The rest (`driver`, `load_s`, `faults`, `servers`, `costs`,
    /// `thresholds`, `verdict`) is the caller's.
    ///
    /// # Errors
    /// When a histogram cannot be encoded; never seen.
    pub(crate) fn into_run_result(mut self) -> anyhow::Result<RunResult> {
        self.close();
        let generator = self.generator();
        let mut times = BTreeMap::new();
        for (metric, pair) in &self.times {
            times.insert(metric.name().to_owned(), summary::times(pair)?);
        }
        let counts = self.counts.iter();
        Ok(RunResult {
            counts: counts
                .map(|(counter, count)| (counter.name().to_owned(), *count))
                .collect(),
            times,
            errors: self.errors,
            series: self.course.into_seconds(),
            generator,
            violations: self.stories,
            ..RunResult::default()
        })
    }

    fn generator(&self) -> GeneratorUse {
        let count = |counter| self.counts.get(&counter).copied().unwrap_or(0);
        let shares = self.uses.iter().filter(|used| used.span_ms > 0);
        let slip = self.times.get(&Metric::StartDelay);
        GeneratorUse {
            workers: self.uses.len(),
            cpu_s: self.uses.iter().map(|used| used.cpu_micros).sum::<f64>() / 1e6,
            busiest_core_share: shares
                .map(|used| used.cpu_micros / (used.span_ms as f64 * 1e3))
                .fold(0.0, f64::max),
            resident_max_kib: self.resident_max_kib,
            start_delay_p99_us: slip.map_or(0.0, |pair| summary::quantiles(&pair.corrected).p99_us),
            dropped_share: count(Counter::Dropped) as f64 / count(Counter::Planned).max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::{Recorder, WorkerUsage};

    /// Two workers' seconds, and one that saw what both saw.
    fn seen() -> (Vec<Tick>, Tick) {
        let all = Recorder::default();
        let ticks = (0..2_u64).map(|worker| {
            let own = Recorder::default();
            for number in 1..=100 {
                for recorder in [&own, &all] {
                    recorder.count(Counter::Sent);
                    let took = Duration::from_micros(number * 100 * (1 + 9 * worker));
                    recorder.time(Metric::OneWay, took, Duration::from_millis(1));
                }
            }
            let used = WorkerUsage {
                cpu_micros: 250_000.0 * (1 + worker) as f64,
                resident_kib: 1_000.0,
                open_files: 9,
            };
            Tick {
                span_ms: 1_000,
                ..own.tick(1_000, used).unwrap()
            }
        });
        (ticks.collect(), all.tick(1_000, WorkerUsage::default()).unwrap())
    }

    #[test]
    fn counts_are_summed_and_quantiles_are_those_of_the_union() {
        let (ticks, all) = seen();
        let mut merged = Merged::new(2);
        merged.begins(0);
        for (worker, tick) in ticks.into_iter().enumerate() {
            merged.add(worker, &Opened::new(tick, false).unwrap());
        }
        merged.ended(1, vec!["once".to_owned()]);
        assert_eq!(merged.live(3).counts[&Counter::Sent], 200);
        let result = merged.into_run_result().unwrap();
        let union = Opened::new(all, false).unwrap().times[&Metric::OneWay].clone();
        let union = summary::times(&union).unwrap();
        let times = &result.times["one_way"];
        assert_eq!(result.counts["sent"], 200);
        assert_eq!(times.corrected.histogram, union.corrected.histogram);
        assert_eq!(times.uncorrected.histogram, union.uncorrected.histogram);
        let second = &result.series[0];
        assert_eq!((result.series.len(), second.counts["sent"]), (1, 200));
        assert!((second.times["one_way"].p99_us - union.corrected.p99_us).abs() < f64::EPSILON);
        assert!((second.generator_cores - 0.75).abs() < 1e-9);
        assert!((result.generator.busiest_core_share - 0.5).abs() < 1e-9);
        assert!((result.generator.resident_max_kib - 2_000.0).abs() < 1e-9);
        assert_eq!(result.violations, ["once"]);
    }

    #[test]
    fn the_ramp_counts_in_totals_but_not_in_what_the_generator_used() {
        let (ticks, _) = seen();
        let mut merged = Merged::new(2);
        merged.add(0, &Opened::new(ticks[0].clone(), true).unwrap());
        merged.begins(3_000);
        merged.add(1, &Opened::new(ticks[1].clone(), true).unwrap());
        let result = merged.into_run_result().unwrap();
        assert_eq!(result.counts["sent"], 200);
        assert_eq!(result.series.len(), 1);
        assert!((result.series[0].at_s + 2.0).abs() < f64::EPSILON);
        assert!(result.generator.cpu_s < f64::EPSILON);
    }

    #[test]
    fn ticks_of_no_run_are_refused() {
        let tick = Tick {
            at_ms: i64::MAX,
            ..Tick::default()
        };
        assert!(
            Opened::new(tick, false)
                .unwrap_err()
                .to_string()
                .contains("not of this run")
        );
    }
}
