//! The values of one side of a comparison, and what two sides say about each other.

use switchboard_harness::stats::median;

use super::stats;
use crate::{
    results::{Results, RunResult},
    thresholds::Figure,
};

/// A difference is significant if chance alone makes it less often than this.
pub(super) const SIGNIFICANT: f64 = 0.05;

/// With fewer runs on a side no difference can be significant (of three and three the least p is 0.1).
pub(super) const MIN_RUNS: usize = 4;

/// The values of a figure over the repeats.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Side {
    pub(super) values: Vec<f64>,
}

impl Side {
    pub(super) fn of(results: &Results, figure: &Figure) -> Self {
        let value = |run: &RunResult| figure.of(run).ok().filter(|value| value.is_finite());
        Self {
            values: results.runs.iter().filter_map(value).collect(),
        }
    }

    pub(super) fn median(&self) -> Option<f64> {
        median(&self.values)
    }
}

/// The change from the median of `a` to that of `b`, as a share of the former; infinite if that is 0.
pub(super) fn change(a: &Side, b: &Side) -> Option<f64> {
    let (a, b) = (a.median()?, b.median()?);
    if a == b {
        Some(0.0)
    } else {
        Some((b - a) / a.abs())
    }
}

/// The p value of the test, if there are enough runs.
pub(super) fn p_value(a: &Side, b: &Side) -> Option<f64> {
    if a.values.len().min(b.values.len()) < MIN_RUNS {
        return None;
    }
    stats::mann_whitney(&a.values, &b.values)
}
