//! Which figures are compared, and of which of them more is better.

use std::collections::BTreeSet;

use crate::{
    record::{Counter, Metric},
    results::Results,
    thresholds::{Figure, Function},
};

/// Of each time.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// What got done, a second of load.
const RATES: [Counter; 2] = [Counter::CallsSetUp, Counter::Arrived];

/// What should not happen, besides the silent offences.
const TROUBLES: [Counter; 5] = [
    Counter::CallsFailed,
    Counter::ConnectsFailed,
    Counter::Disconnects,
    Counter::SendErrors,
    Counter::AbuseAccepted,
];

/// All figures that one of the two may have.
pub(super) fn of_both(a: &Results, b: &Results) -> Vec<Figure> {
    let times = Metric::ALL.into_iter().flat_map(|metric| {
        PERCENTILES.map(|percent| Figure::Time {
            metric,
            function: Function::Percentile(percent),
            is_corrected: true,
        })
    });
    let rates = RATES
        .into_iter()
        .filter(|counter| [a, b].iter().any(|results| has(results, *counter)))
        .map(Figure::Rate);
    // A silent offence that never came is worth a line: it was looked for.
    let offences = Counter::VIOLATIONS.iter().copied().map(Figure::Count);
    let failures = TROUBLES
        .into_iter()
        .filter(|counter| [a, b].iter().any(|results| has(results, *counter)))
        .map(Figure::Count);
    let costs: BTreeSet<&String> = [a, b]
        .iter()
        .flat_map(|results| &results.runs)
        .flat_map(|run| run.costs.keys())
        .collect();
    let costs = costs.into_iter().map(|name| Figure::Cost(name.clone()));
    times
        .chain(rates)
        .chain(offences)
        .chain(failures)
        .chain(costs)
        .collect()
}

fn has(results: &Results, counter: Counter) -> bool {
    results
        .runs
        .iter()
        .any(|run| run.counts.get(counter.name()).is_some_and(|count| *count > 0))
}

/// Whether a higher value is the better one.
pub(super) fn is_more_better(figure: &Figure) -> bool {
    match figure {
        Figure::Rate(_) | Figure::Share(..) => true,
        Figure::Cost(name) => name.contains("per_second"),
        Figure::Time { .. } | Figure::Count(_) | Figure::Imbalance | Figure::Reconnected => false,
    }
}
