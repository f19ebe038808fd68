//! The value of a figure in a finished run, or the reason why there is none.

use super::{Figure, figure::Function};
use crate::{
    record::{Counter, Metric, decode},
    results::{FaultResult, RunResult, Summary},
};

const MICROS_PER_SECOND: f64 = 1e6;
const NANOS_PER_MICRO: f64 = 1e3;

impl Figure {
    /// Its value, in its unit.
    ///
    /// # Errors
    /// The reason why there is none, for example `no call_setup was timed`.
    pub(crate) fn of(&self, run: &RunResult) -> Result<f64, String> {
        match self {
            Self::Time {
                metric,
                function,
                is_corrected,
            } => time(run, *metric, *function, *is_corrected),
            Self::Count(counter) => Ok(count(run, *counter)),
            Self::Rate(counter) if run.load_s > 0.0 => Ok(count(run, *counter) / run.load_s),
            Self::Rate(_) => Err("there was no load".into()),
            Self::Share(part, whole) => match count(run, *whole) {
                0.0 => Err(format!("{} is 0", whole.name())),
                of => Ok(count(run, *part) / of),
            },
            Self::Cost(name) => run.costs.get(name).copied().ok_or_else(|| {
                let known: Vec<_> = run.costs.keys().map(String::as_str).collect();
                match known.as_slice() {
                    [] => "no cost was measured".to_owned(),
                    known => format!("no cost {name} was measured; there are {}", known.join(", ")),
                }
            }),
            Self::Imbalance => run
                .faults
                .iter()
                .filter_map(|fault| fault.imbalance)
                .reduce(f64::max)
                .ok_or_else(|| "no fault was followed by connections to compare".into()),
            Self::Reconnected => reconnected(&run.faults),
        }
    }
}

/// A missing counter is 0.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(run: &RunResult, counter: Counter) -> f64 {
    run.count(counter) as f64
}

fn time(run: &RunResult, metric: Metric, function: Function, is_corrected: bool) -> Result<f64, String> {
    let nothing = || format!("no {} was timed", metric.name());
    let times = run.times.get(metric.name()).ok_or_else(nothing)?;
    let summary = if is_corrected {
        &times.corrected
    } else {
        &times.uncorrected
    };
    if summary.count == 0 {
        return Err(nothing());
    }
    match function {
        Function::Mean => Ok(summary.mean_us),
        Function::Min => Ok(summary.min_us),
        Function::Max => Ok(summary.max_us),
        Function::Percentile(percent) => percentile(summary, percent),
    }
}

fn percentile(summary: &Summary, percent: f64) -> Result<f64, String> {
    let known = [
        (50.0, summary.p50_us),
        (90.0, summary.p90_us),
        (99.0, summary.p99_us),
        (99.9, summary.p999_us),
    ];
    if let Some((_, value)) = known.iter().find(|(known, _)| (known - percent).abs() < 1e-9) {
        return Ok(*value);
    }
    let histogram = decode(&summary.histogram).map_err(|error| format!("{error:#}"))?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "five minutes in nanoseconds are below 2^52"
    )]
    Ok(histogram.value_at_percentile(percent) as f64 / NANOS_PER_MICRO)
}

fn reconnected(faults: &[FaultResult]) -> Result<f64, String> {
    let mut worst = None;
    for fault in faults {
        let FaultResult { what, at_s, .. } = fault;
        if let Some(error) = &fault.error {
            return Err(format!("{what} at {at_s:.1}s could not be done: {error}"));
        }
        let seconds = match fault.reconnected_s {
            Some(seconds) => seconds,
            None if fault.connected_min >= fault.connected_before => 0.0,
            None => return Err(format!("never all again after {what} at {at_s:.1}s")),
        };
        worst = Some(worst.map_or(seconds, |worst: f64| worst.max(seconds)));
    }
    worst
        .map(|seconds| seconds * MICROS_PER_SECOND)
        .ok_or_else(|| "there was no fault".into())
}
