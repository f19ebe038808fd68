//! The figures of results and series that are read from a histogram.

use hdrhistogram::Histogram;

use crate::{
    record::{HistogramPair, encode},
    results::{Quantiles, Summary, Times},
};

/// A value of a histogram, in microseconds.
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// Three quantiles; zeros if there is nothing in it.
pub(super) fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    Quantiles {
        p50_us: micros(histogram.value_at_quantile(0.5)),
        p99_us: micros(histogram.value_at_quantile(0.99)),
        max_us: micros(histogram.max()),
    }
}

/// All figures of a report, and the histogram itself as text.
pub(super) fn summary(histogram: &Histogram<u64>) -> anyhow::Result<Summary> {
    Ok(Summary {
        count: histogram.len(),
        min_us: micros(histogram.min()),
        mean_us: histogram.mean() / 1e3,
        p50_us: micros(histogram.value_at_quantile(0.5)),
        p90_us: micros(histogram.value_at_quantile(0.9)),
        p99_us: micros(histogram.value_at_quantile(0.99)),
        p999_us: micros(histogram.value_at_quantile(0.999)),
        max_us: micros(histogram.max()),
        histogram: encode(histogram)?,
    })
}

/// Both histograms of a metric.
pub(super) fn times(pair: &HistogramPair) -> anyhow::Result<Times> {
    Ok(Times {
        corrected: summary(&pair.corrected)?,
        uncorrected: summary(&pair.uncorrected)?,
    })
}
