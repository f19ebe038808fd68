//! What all workers recorded, added up: totals, the timeline, and what the generator used.
//!
//! Totals (`counts`, `times`, `errors`) cover everything from `Prepare` to the last tick, the ramp included: its
//! connects are the connects. What the generator used covers the load and its settling only.

use std::{collections::BTreeMap, time::Duration};

use anyhow::ensure;

use super::{summary, timeline::Timeline};
use crate::{
    record::{Counter, Counts, ErrorTally, HistogramPair, Metric, Sample, Tick, new_histogram},
    results::{GeneratorUse, Quantiles, RunResult, Second},
};

/// The longest run, in milliseconds: a day. A later tick is wrong, and would fill the memory.
const MAX_MS: i64 = 24 * 3_600_000;

/// A tick with decoded histograms.
#[derive(Debug)]
pub(crate) struct DecodedTick {
    tick: Tick,
    times: BTreeMap<Metric, HistogramPair>,
    is_ramp: bool,
}

impl DecodedTick {
    /// Decodes it. `is_ramp`: its times count from `Prepare`.
    ///
    /// # Errors
    /// When a histogram is none or not one of ours, or a time is beyond a day.
    pub(crate) fn new(mut tick: Tick, is_ramp: bool) -> anyhow::Result<Self> {
        for at_ms in tick.samples.iter().map(|sample| sample.at_ms).chain([tick.at_ms]) {
            ensure!(
                at_ms.saturating_abs() <= MAX_MS,
                "a tick from {at_ms} ms is not of this run"
            );
        }
        let expected = new_histogram();
        let bounds = |of: &hdrhistogram::Histogram<u64>| (of.low(), of.high(), of.sigfig());
        let mut times = BTreeMap::new();
        for (metric, text) in std::mem::take(&mut tick.times) {
            let pair = text.pair()?;
            let has_bounds = [&pair.corrected, &pair.uncorrected]
                .iter()
                .all(|of| bounds(of) == bounds(&expected));
            ensure!(
                has_bounds,
                "a histogram has other bounds than here: is it the same build?"
            );
            times.insert(metric, pair);
        }
        Ok(Self { tick, times, is_ramp })
    }
}

/// The sum of all workers.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// How often each thing happened so far.
    pub(crate) counts: Counts,
    times: BTreeMap<Metric, HistogramPair>,
    /// Errors so far.
    pub(crate) errors: ErrorTally,
    /// Times of the ramp count from `Prepare`.
    ramp: Timeline,
    load: Timeline,
    /// From `Prepare` to the start of the load, once that is known.
    ramp_time: Duration,
    used: Vec<Used>,
    resident_max_kib: f64,
    violations: Vec<String>,
}

/// What one worker used.
#[derive(Debug, Clone, Default)]
struct Used {
    cpu_micros: f64,
    span_ms: u64,
    resident_kib: f64,
    has_ended: bool,
}

impl Merged {
    /// Of so many workers, which have recorded nothing yet.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            ramp: Timeline::new(workers),
            load: Timeline::new(workers),
            used: vec![Used::default(); workers],
            ..Self::default()
        }
    }

    /// Adds a worker's tick.
    pub(crate) fn add(&mut self, worker: usize, decoded: &DecodedTick) {
        let DecodedTick { tick, times, is_ramp } = decoded;
        for (counter, count) in &tick.counts {
            *self.counts.entry(*counter).or_default() += count;
        }
        for (metric, pair) in times {
            self.times.entry(*metric).or_default().add(pair);
        }
        self.errors.merge(&tick.errors);
        if let Some(used) = self.used.get_mut(worker) {
            used.resident_kib = tick.usage.resident_kib;
            if !is_ramp && tick.at_ms > 0 && !used.has_ended {
                used.cpu_micros += tick.usage.cpu_micros;
                used.span_ms += tick.span_ms;
            }
        }
        let resident_kib = self.used.iter().map(|used| used.resident_kib).sum();
        self.resident_max_kib = self.resident_max_kib.max(resident_kib);
        if *is_ramp {
            self.ramp.add(worker, tick, times);
        } else if self.used.get(worker).is_some_and(|used| used.has_ended) {
            // Its connections close: an end of the run, and no drop in it.
            self.load.add_after_end(worker, tick);
        } else {
            self.load.add(worker, tick, times);
        }
    }

    /// The load starts (or will start) this long after `Prepare`. What was recorded before is moved below 0, with the
    /// precision of a second.
    pub(crate) fn begins(&mut self, ramp_time: Duration) {
        self.ramp_time = Duration::from_secs(ramp_time.as_secs_f64().round() as u64);
        self.load = self.ramp.follow();
    }

    /// A worker's load has ended.
    pub(crate) fn ended(&mut self, worker: usize, violations: Vec<String>) {
        self.violations.extend(violations);
        if let Some(used) = self.used.get_mut(worker) {
            used.has_ended = true;
        }
    }

    /// The newest seconds that all workers are past, oldest first.
    pub(crate) fn newest(&self, max: usize) -> Vec<Second> {
        let ramp = self.ramp.seconds().rev().map(|second| Second {
            at_s: second.at_s - self.ramp_time.as_secs_f64(),
            ..second.clone()
        });
        let mut newest: Vec<_> = self.load.seconds().rev().cloned().chain(ramp).take(max).collect();
        newest.reverse();
        newest
    }

    /// Corrected times so far.
    pub(crate) fn times(&self) -> BTreeMap<Metric, Quantiles> {
        let times = self.times.iter();
        times
            .map(|(metric, pair)| (*metric, summary::quantiles(&pair.corrected)))
            .collect()
    }

    /// The samples of the connections over all workers so far, ten a second, oldest first. A worker that missed one
    /// counts as it last was.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let ramp_ms = i64::try_from(self.ramp_time.as_millis()).unwrap_or(i64::MAX);
        let ramp = self.ramp.samples().map(|sample| Sample {
            at_ms: sample.at_ms - ramp_ms,
            ..*sample
        });
        ramp.chain(self.load.samples().copied()).collect()
    }

    /// Nothing more comes. After an early end, seconds that not all workers have reported are no points of the timeline.
    pub(crate) fn close(&mut self, is_early: bool) {
        self.ramp.close_all();
        if is_early {
            self.load.leave_out_open();
        }
        self.load.close_all();
    }

    /// Seconds of the load that all workers have reported.
    pub(crate) fn load_s(&self) -> i64 {
        self.load.reported_s()
    }

    /// The part of the result that workers know. The caller adds the rest (`driver`, `load_s`, `faults`, `servers`,
    /// `costs`, `thresholds`, `verdict`).
    ///
    /// # Errors
    /// When a histogram cannot be encoded; never seen.
    pub(crate) fn into_run_result(mut self) -> anyhow::Result<RunResult> {
        self.close(false);
        Ok(RunResult {
            series: self.newest(usize::MAX),
            generator: self.generator(),
            errors: std::mem::take(&mut self.errors),
            violations: std::mem::take(&mut self.violations),
            ..self.figures()?
        })
    }

    /// Counts and times so far.
    ///
    /// # Errors
    /// As [`Merged::into_run_result`].
    pub(crate) fn figures(&self) -> anyhow::Result<RunResult> {
        let times = self.times.iter();
        let times = times.map(|(metric, pair)| Ok((metric.name().to_owned(), summary::times(pair)?)));
        let counts = self.counts.iter();
        Ok(RunResult {
            counts: counts
                .map(|(counter, count)| (counter.name().to_owned(), *count))
                .collect(),
            times: times.collect::<anyhow::Result<_>>()?,
            ..RunResult::default()
        })
    }

    fn generator(&self) -> GeneratorUse {
        let count = |counter| self.counts.get(&counter).copied().unwrap_or(0);
        let shares = self.used.iter().filter(|used| used.span_ms > 0);
        let shares = shares.map(|used| used.cpu_micros / (used.span_ms as f64 * 1e3));
        let delays = self.times.get(&Metric::StartDelay);
        GeneratorUse {
            workers: self.used.len(),
            cpu_s: self.used.iter().map(|used| used.cpu_micros).sum::<f64>() / 1e6,
            busiest_core_share: shares.fold(0.0, f64::max),
            resident_max_kib: self.resident_max_kib,
            start_delay_p99_us: delays.map_or(0.0, |pair| summary::quantiles(&pair.corrected).p99_us),
            dropped_share: count(Counter::Dropped) as f64 / count(Counter::Planned).max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Recorder, WorkerUsage};

    /// Two workers' seconds, and one that recorded both.
    fn ticks() -> (Vec<Tick>, Tick) {
        let all = Recorder::default();
        let ticks = (0..2_u64).map(|worker| {
            let one = Recorder::default();
            for number in 1..=100 {
                for recorder in [&one, &all] {
                    recorder.count(Counter::Sent);
                    let took = Duration::from_micros(number * 100 * (1 + 9 * worker));
                    recorder.time(Metric::OneWay, took, Duration::from_millis(1));
                }
            }
            let cpu_micros = 250_000.0 * (1 + worker) as f64;
            let own = WorkerUsage {
                cpu_micros,
                resident_kib: 1_000.0,
                open_files: 9,
            };
            Tick {
                span_ms: 1_000,
                ..one.tick(1_000, own).unwrap()
            }
        });
        (ticks.collect(), all.tick(1_000, WorkerUsage::default()).unwrap())
    }

    #[test]
    fn counts_are_summed_and_quantiles_are_those_of_the_union() {
        let (ticks, all) = ticks();
        let mut merged = Merged::new(2);
        merged.begins(Duration::ZERO);
        for (worker, tick) in ticks.into_iter().enumerate() {
            merged.add(worker, &DecodedTick::new(tick, false).unwrap());
        }
        merged.ended(1, vec!["one".to_owned()]);
        assert_eq!(merged.counts[&Counter::Sent], 200);
        let result = merged.into_run_result().unwrap();
        let union = summary::times(&DecodedTick::new(all, false).unwrap().times[&Metric::OneWay]).unwrap();
        let times = &result.times["one_way"];
        assert_eq!(result.counts["sent"], 200);
        assert_eq!(times.corrected.histogram, union.corrected.histogram);
        assert_eq!(times.uncorrected.histogram, union.uncorrected.histogram);
        let second = &result.series[0];
        assert_eq!((result.series.len(), second.counts["sent"]), (1, 200));
        let generator = &result.generator;
        for (found, expected) in [
            (second.times["one_way"].p99_us, union.corrected.p99_us),
            (second.generator_cores, 0.75),
            (generator.busiest_core_share, 0.5),
            (generator.resident_max_kib, 2_000.0),
        ] {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        assert_eq!(result.violations, ["one"]);
    }

    #[test]
    fn the_ramp_is_before_0_and_counts_in_totals_but_not_in_what_the_generator_used() {
        let (ticks, _) = ticks();
        let mut merged = Merged::new(2);
        merged.add(0, &DecodedTick::new(ticks[0].clone(), true).unwrap());
        merged.begins(Duration::from_millis(3_200));
        merged.add(1, &DecodedTick::new(ticks[1].clone(), true).unwrap());
        let result = merged.into_run_result().unwrap();
        assert_eq!((result.counts["sent"], result.series.len()), (200, 1));
        assert_eq!((result.series[0].at_s, result.generator.cpu_s), (-2.0, 0.0));
    }

    #[test]
    fn a_tick_of_another_run_is_refused() {
        let tick = Tick {
            at_ms: i64::MAX,
            ..Tick::default()
        };
        let error = DecodedTick::new(tick, false).unwrap_err().to_string();
        assert!(error.contains("not of this run"), "{error}");
    }
}
