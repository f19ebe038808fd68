//! Compares two results: medians, spread, and whether a difference is significant. It reads finished results and
//! measures nothing.

mod differences;
mod fail_on;
mod figures;
mod show;
mod side;
mod stats;

pub(crate) use fail_on::FailOn;
use fail_on::GateResult;
use side::{SIGNIFICANT, Side, change, p_value};

use crate::{results::Results, thresholds::Figure};

/// Exit code when a comparison fails, as with a missed threshold.
pub(crate) const EXIT_WORSE: u8 = 99;

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

impl Comparison {
    /// Whether a `--fail-on` failed.
    pub(crate) fn is_failed(&self) -> bool {
        self.gates.iter().any(|gate| gate.is_failed)
    }
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
