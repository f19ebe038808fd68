//! Two results beside each other: medians, spread, and whether the difference is more than chance. It reads
//! finished results and judges them; it measures nothing.

mod differences;
mod fail_on;
mod figures;
mod show;
mod stats;

pub(crate) use fail_on::FailOn;

use crate::{
    results::{Results, RunResult},
    thresholds::Figure,
};

/// Exit code when a comparison fails, as with a missed threshold.
pub(crate) const EXIT_WORSE: u8 = 99;

/// A difference that chance alone makes less often than this is one.
const SIGNIFICANT: f64 = 0.05;

/// With fewer runs on a side no difference can be significant (of three and three the least p is 0.1).
const MIN_RUNS: usize = 4;

/// What came of a comparison.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// Name, driver, commit and number of runs of `a`, then of `b`.
    heads: [String; 2],
    /// What makes the two hard to compare, a sentence each.
    warnings: Vec<String>,
    rows: Vec<Row>,
    gates: Vec<Gate>,
}

/// One figure in both.
#[derive(Debug)]
struct Row {
    figure: Figure,
    a: Side,
    b: Side,
    verdict: Verdict,
}

/// One figure over the repeats.
#[derive(Debug, Clone, Default, PartialEq)]
struct Side {
    values: Vec<f64>,
}

/// How `b` does beside `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// Better, with the p of the test.
    Better(f64),
    /// Worse, with the p of the test.
    Worse(f64),
    /// No more apart than chance would have it, with the p of the test.
    Same(f64),
    /// Fewer than [`MIN_RUNS`] runs on a side.
    TooFew,
    /// Nothing on one side.
    OneSided,
}

/// A `--fail-on` and what came of it.
#[derive(Debug)]
struct Gate {
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
        stats::median(&self.values)
    }
}

/// How much more the median of `b` is, as a share of that of `a`; more than nothing is infinitely more.
fn change(a: &Side, b: &Side) -> Option<f64> {
    let (a, b) = (a.median()?, b.median()?);
    if a == b {
        Some(0.0)
    } else {
        Some((b - a) / a.abs())
    }
}

/// The p of the test, if there are runs enough for one.
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
        gates: fail_on.iter().map(|gate| gate.judge(a, b)).collect(),
    }
}

/// A figure that neither has is left out.
fn row(in_a: &Results, in_b: &Results, figure: Figure) -> Option<Row> {
    let (a, b) = (Side::of(in_a, &figure), Side::of(in_b, &figure));
    if a.values.is_empty() && b.values.is_empty() {
        return None;
    }
    let verdict = match (change(&a, &b), p_value(&a, &b)) {
        (None, _) => Verdict::OneSided,
        (Some(_), None) => Verdict::TooFew,
        (Some(change), Some(p)) if p < SIGNIFICANT && change != 0.0 => {
            if (change > 0.0) == figures::is_more_better(&figure) {
                Verdict::Better(p)
            } else {
                Verdict::Worse(p)
            }
        }
        (Some(_), Some(p)) => Verdict::Same(p),
    };
    Some(Row {
        figure,
        a,
        b,
        verdict,
    })
}

#[cfg(test)]
mod tests;
