//! The figures that are compared, and which of them are better when higher.

use std::collections::BTreeSet;

use crate::{
    record::{Counter, Metric},
    results::Results,
    thresholds::{Figure, Function},
};

/// Percentiles of each time.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// Work done per second of load.
const RATES: [Counter; 2] = [Counter::CallsSetUp, Counter::Arrived];

/// Failures that were reported; violations are apart.
const FAILURES: [Counter; 5] = [
    Counter::CallsFailed,
    Counter::ConnectsFailed,
    Counter::Disconnects,
    Counter::SendErrors,
    Counter::AbuseAccepted,
];

/// All figures that one of the two may have. Violations are always listed: the oracle looked for them.
pub(super) fn of_both(a: &Results, b: &Results) -> Vec<Figure> {
    let runs = || a.runs.iter().chain(&b.runs);
    let occurs =
        |counter: &Counter| runs().any(|run| run.counts.get(counter.name()).is_some_and(|count| *count > 0));
    let times = Metric::ALL.into_iter().flat_map(|metric| {
        PERCENTILES.map(|percent| Figure::Time {
            metric,
            function: Function::Percentile(percent),
            is_corrected: true,
        })
    });
    let rates = RATES.into_iter().filter(occurs).map(Figure::Rate);
    let violations = Counter::VIOLATIONS.iter().copied().map(Figure::Count);
    let failures = FAILURES.into_iter().filter(occurs).map(Figure::Count);
    let costs: BTreeSet<&String> = runs().flat_map(|run| run.costs.keys()).collect();
    let costs = costs.into_iter().map(|name| Figure::Cost(name.clone()));
    let counts = rates.chain(violations).chain(failures);
    times.chain(counts).chain(costs).collect()
}

/// Whether a higher value is better.
pub(super) fn is_more_better(figure: &Figure) -> bool {
    match figure {
        Figure::Rate(_) | Figure::Share(..) => true,
        Figure::Cost(name) => name.contains("per_second"),
        Figure::Time { .. } | Figure::Count(_) | Figure::Imbalance | Figure::Reconnected => false,
    }
}
