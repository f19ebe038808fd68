//! Percentile curves of the histograms, for the page. The summaries in the tables are not computed here.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    record::{self, Metric},
    results::{Results, RunResult},
};

/// Points of a curve for each nine: from 90 % to 99 %, from 99 % to 99.9 %.
const POINTS_PER_NINE: f64 = 40.0;

/// Nines of a curve, at most: 99.9999 %.
const MAX_NINES: f64 = 6.0;

/// A metric's histograms, in nanoseconds.
#[derive(Debug)]
pub(super) struct Decoded {
    /// From the planned starts.
    pub(super) corrected: Histogram<u64>,
    /// From the actual starts.
    pub(super) uncorrected: Histogram<u64>,
}

/// The histograms of one run, by metric. Metrics that this program does not know are left out.
pub(super) type DecodedRun = BTreeMap<Metric, Decoded>;

/// A metric's curves.
#[derive(Debug, Serialize)]
pub(super) struct Curve {
    /// The percentiles: 1 is 90 %, 2 is 99 %.
    nines: Vec<f64>,
    /// The values at these, in microseconds.
    corrected: Vec<f64>,
    uncorrected: Vec<f64>,
}

/// The histograms of every run.
///
/// # Errors
/// When a histogram cannot be read; the error names the run and the metric.
pub(super) fn decode_all(results: &Results) -> anyhow::Result<Vec<DecodedRun>> {
    let numbered = results.runs.iter().zip(1..);
    numbered.map(|(run, number)| decode(number, run)).collect()
}

fn decode(number: usize, run: &RunResult) -> anyhow::Result<DecodedRun> {
    let read = |metric: Metric, text: &str, kind: &str| {
        record::decode(text).with_context(|| format!("run {number}: the {kind} times of `{}`", metric.name()))
    };
    let known = Metric::ALL
        .into_iter()
        .filter_map(|metric| Some((metric, run.times.get(metric.name())?)));
    known
        .map(|(metric, times)| {
            let decoded = Decoded {
                corrected: read(metric, &times.corrected.histogram, "corrected")?,
                uncorrected: read(metric, &times.uncorrected.histogram, "uncorrected")?,
            };
            Ok((metric, decoded))
        })
        .collect()
}

/// The curves of one run by the metrics' names, without those that were never timed.
pub(super) fn curves(run: &DecodedRun) -> BTreeMap<&'static str, Curve> {
    let timed = run.iter().filter(|(_, decoded)| !decoded.corrected.is_empty());
    timed
        .map(|(metric, decoded)| (metric.name(), curve(decoded)))
        .collect()
}

/// Ends with the maximum, at the last percentile that so many values can tell apart.
#[expect(clippy::cast_precision_loss, reason = "only the magnitude matters")]
fn curve(decoded: &Decoded) -> Curve {
    let end = (decoded.corrected.len().max(10) as f64).log10().min(MAX_NINES);
    let grid: Vec<f64> = (0_u32..)
        .map(|index| f64::from(index) / POINTS_PER_NINE)
        .take_while(|nines| *nines < end)
        .collect();
    let values = |histogram: &Histogram<u64>| {
        let quantiles = grid.iter().map(|nines| 1.0 - 10_f64.powf(-nines));
        let values = quantiles
            .chain([1.0])
            .map(|quantile| histogram.value_at_quantile(quantile));
        values.map(|nanos| nanos as f64 / 1e3).collect()
    };
    Curve {
        corrected: values(&decoded.corrected),
        uncorrected: values(&decoded.uncorrected),
        nines: grid.iter().copied().chain([end]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn a_curve_never_falls_and_ends_at_the_maximum() {
        let results = example::results();
        let decoded = decode_all(&results).unwrap();
        let curve = &curves(&decoded[0])["call_setup"];
        assert!(curve.corrected.is_sorted() && curve.corrected.len() == curve.nines.len());
        let max = results.runs[0].times["call_setup"].corrected.max_us;
        assert!((curve.corrected.last().unwrap() / max - 1.0).abs() < 0.01);
    }

    #[test]
    fn an_unreadable_histogram_is_named() {
        let mut results = example::results();
        let times = results.runs[1].times.get_mut("one_way").unwrap();
        times.corrected.histogram = "AAAA".to_owned();
        let error = format!("{:#}", decode_all(&results).unwrap_err());
        assert!(error.contains("run 2") && error.contains("one_way"), "{error}");
    }
}
