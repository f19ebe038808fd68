//! Compares two results: medians, spread, and whether a difference is significant. It reads finished results and
//! measures nothing.

mod differences;
mod fail_on;
mod figures;
mod show;
mod stats;

pub(crate) use fail_on::FailOn;
use switchboard_harness::stats::median;

use crate::{
    results::{Results, RunResult},
    thresholds::Figure,
};

/// Exit code when a comparison fails, as with a missed threshold.
pub(crate) const EXIT_WORSE: u8 = 99;

/// A difference is significant if chance alone makes it less often than this.
const SIGNIFICANT: f64 = 0.05;

/// With fewer runs on a side no difference can be significant (of three and three the least p is 0.1).
const MIN_RUNS: usize = 4;

/// A comparison of results `a` and `b`.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// Name, driver, commit and number of runs of `a`, then of `b`.
    heads: [String; 2],
    /// Differences of scenario, machine or runs that spoil the comparison, one sentence each.
    warnings: Vec<String>,
    rows: Vec<Row>,
    gates: Vec<GateResult>,
}

/// One figure in both.
#[derive(Debug)]
struct Row {
    figure: Figure,
    a: Side,
    b: Side,
    difference: Difference,
}

/// The values of a figure over the repeats.
#[derive(Debug, Clone, Default, PartialEq)]
struct Side {
    values: Vec<f64>,
}

/// How `b` compares with `a`, with the p value of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Difference {
    /// Significantly better.
    Better(f64),
    /// Significantly worse.
    Worse(f64),
    /// Not significant.
    Same(f64),
    /// Fewer than [`MIN_RUNS`] runs on a side.
    TooFew,
    /// Not measured on one side.
    OneSided,
}

/// The result of a `--fail-on`.
#[derive(Debug)]
struct GateResult {
    text: String,
    outcome: String,
    is_failed: bool,
}

impl Comparison {
    /// Whether a `--fail-on` failed.
    pub(crate) fn is_failed(&self) -> bool {
        self.gates.iter().any(|gate| gate.is_failed)
    }
}

impl Side {
    fn of(results: &Results, figure: &Figure) -> Self {
        let value = |run: &RunResult| figure.of(run).ok().filter(|value| value.is_finite());
        Self {
            values: results.runs.iter().filter_map(value).collect(),
        }
    }

    fn median(&self) -> Option<f64> {
        median(&self.values)
    }
}

/// The change from the median of `a` to that of `b`, as a share of the former; infinite if that is 0.
fn change(a: &Side, b: &Side) -> Option<f64> {
    let (a, b) = (a.median()?, b.median()?);
    if a == b {
        Some(0.0)
    } else {
        Some((b - a) / a.abs())
    }
}

/// The p value of the test, if there are enough runs.
fn p_value(a: &Side, b: &Side) -> Option<f64> {
    if a.values.len().min(b.values.len()) < MIN_RUNS {
        return None;
    }
    stats::mann_whitney(&a.values, &b.values)
}

/// Compares `b` with `a`, the older one.
pub(crate) fn compare(a: &Results, b: &Results, fail_on: &[FailOn]) -> Comparison {
    let rows = figures::of_both(a, b)
        .into_iter()
        .filter_map(|figure| row(a, b, figure))
        .collect();
    Comparison {
        heads: [differences::head(a), differences::head(b)],
        warnings: differences::warnings(a, b),
        rows,
        gates: fail_on.iter().map(|gate| gate.evaluate(a, b)).collect(),
    }
}

/// A row of the table; none if neither side has the figure.
fn row(in_a: &Results, in_b: &Results, figure: Figure) -> Option<Row> {
    let (a, b) = (Side::of(in_a, &figure), Side::of(in_b, &figure));
    if a.values.is_empty() && b.values.is_empty() {
        return None;
    }
    let difference = match (change(&a, &b), p_value(&a, &b)) {
        (None, _) => Difference::OneSided,
        (Some(_), None) => Difference::TooFew,
        (Some(change), Some(p)) if p < SIGNIFICANT && change != 0.0 => {
            if (change > 0.0) == figures::is_more_better(&figure) {
                Difference::Better(p)
            } else {
                Difference::Worse(p)
            }
        }
        (Some(_), Some(p)) => Difference::Same(p),
    };
    Some(Row {
        figure,
        a,
        b,
        difference,
    })
}

#[cfg(test)]
mod tests;
