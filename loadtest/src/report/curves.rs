//! Percentile curves: how long the quickest and the slowest took, corrected beside uncorrected. It reads the
//! histograms; the summaries that stand in the tables are not computed here.

use anyhow::Context as _;
use hdrhistogram::Histogram;

use super::{
    chart::{Axis, Chart, Line, Unit, nines_of, quantile_of},
    words,
};
use crate::{
    record::{self, Metric},
    results::RunResult,
};

/// Points of a curve for each nine.
const POINTS_PER_NINE: u32 = 50;

/// Points of a curve, at most.
const MOST_POINTS: u32 = 600;

/// A metric's histograms, in nanoseconds.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Which.
    pub(super) metric: Metric,
    /// From the moments each should have begun.
    pub(super) corrected: Histogram<u64>,
    /// From the moments each did begin.
    pub(super) uncorrected: Histogram<u64>,
}

/// A run's histograms, in the order in which reports show them. Times under names that this program does not
/// know are left out.
///
/// # Errors
/// When a histogram cannot be read; names the run and the metric.
pub(super) fn decode(number: usize, run: &RunResult) -> anyhow::Result<Vec<Decoded>> {
    let times = Metric::ALL
        .iter()
        .filter_map(|metric| Some((*metric, run.times.get(metric.name())?)));
    times
        .map(|(metric, times)| {
            let read = |text: &str, kind: &str| {
                record::decode(text)
                    .with_context(|| format!("run {number}: the {kind} times of `{}`", metric.name()))
            };
            Ok(Decoded {
                metric,
                corrected: read(&times.corrected.histogram, "corrected")?,
                uncorrected: read(&times.uncorrected.histogram, "uncorrected")?,
            })
        })
        .collect()
}

/// A metric's two curves; one if they are the same.
pub(super) fn corrected_and_not(decoded: &Decoded, size: (f64, f64)) -> Chart {
    let (title, _) = words::metric(decoded.metric);
    let pair = [
        ("corrected", &decoded.corrected),
        ("uncorrected", &decoded.uncorrected),
    ];
    if decoded.corrected == decoded.uncorrected {
        return chart(
            &format!("{title}, by percentile"),
            &[("corrected = uncorrected", pair[0].1)],
            size,
        );
    }
    chart(&format!("{title}, by percentile"), &pair, size)
}

/// Curves beside each other.
pub(super) fn chart(about: &str, named: &[(&str, &Histogram<u64>)], size: (f64, f64)) -> Chart {
    let most = named
        .iter()
        .map(|(_, histogram)| histogram.len())
        .max()
        .unwrap_or(0);
    let x = Axis::nines(most);
    let xs = points(most);
    let lines: Vec<Line> = named
        .iter()
        .enumerate()
        .map(|(style, (name, histogram))| Line {
            name: (*name).to_owned(),
            ys: xs.iter().map(|nines| micros_at(histogram, *nines)).collect(),
            below: Vec::new(),
            style,
            is_filled: false,
        })
        .collect();
    let all = || lines.iter().flat_map(|line| line.ys.iter().flatten().copied());
    Chart {
        about: about.to_owned(),
        y: Axis::log(
            all().fold(f64::INFINITY, f64::min),
            all().fold(0.0, f64::max),
            Unit::Micros,
        ),
        x,
        xs,
        lines,
        marks: Vec::new(),
        size,
    }
}

/// The places of a curve's points, in nines.
fn points(count: u64) -> Vec<f64> {
    let end = nines_of_count(count.max(10));
    (0..MOST_POINTS)
        .map(|index| f64::from(index) / f64::from(POINTS_PER_NINE))
        .take_while(|nines| *nines < end)
        .chain([end])
        .collect()
}

/// So many values tell so many nines apart.
#[expect(clippy::cast_precision_loss, reason = "only the magnitude matters")]
fn nines_of_count(count: u64) -> f64 {
    nines_of(1.0 - 1.0 / count as f64)
}

/// The value at a percentile, in microseconds; nothing beyond what so many values can tell.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of minutes fit well")]
fn micros_at(histogram: &Histogram<u64>, nines: f64) -> Option<f64> {
    let end = nines_of_count(histogram.len().max(10));
    (!histogram.is_empty() && nines <= end + 1e-9)
        .then(|| histogram.value_at_quantile(quantile_of(nines)) as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_curve_never_falls_and_ends_at_the_longest() {
        let results = sample::results();
        let decoded = decode(1, &results.runs[0]).unwrap();
        let chart = corrected_and_not(&decoded[0], (560.0, 250.0));
        let ys: Vec<f64> = chart.lines[0].ys.iter().flatten().copied().collect();
        assert!(ys.is_sorted() && chart.xs.len() == ys.len());
        let longest = results.runs[0].times["call_setup"].corrected.max_us;
        assert!((ys.last().unwrap() / longest - 1.0).abs() < 0.01);
    }

    #[test]
    fn an_unreadable_histogram_is_named() {
        let mut results = sample::results();
        results.runs[1]
            .times
            .get_mut("one_way")
            .unwrap()
            .corrected
            .histogram = "AAAA".to_owned();
        let error = format!("{:#}", decode(2, &results.runs[1]).unwrap_err());
        assert!(error.contains("run 2") && error.contains("one_way"), "{error}");
    }
}
