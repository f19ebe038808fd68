//! The times of a run: percentile curves, and the table of what is read off them.

use maud::{Markup, html};

use super::{
    curves::{self, Decoded},
    run::{LARGE, SMALL, figure},
    words,
};
use crate::{
    record::Metric,
    results::{RunResult, Summary},
};

/// Metrics with a large chart; the others have small ones.
const LEADING: [Metric; 2] = [Metric::CallSetup, Metric::OneWay];

/// Curves and table.
pub(super) fn times(run: &RunResult, decoded: &[Decoded]) -> Markup {
    let occurring: Vec<&Decoded> = decoded.iter().filter(|one| !one.corrected.is_empty()).collect();
    if occurring.is_empty() {
        return html! {};
    }
    let leads = |one: &Decoded| LEADING.contains(&one.metric);
    // Where neither calls nor messages are timed, the first two lead.
    let has_leader = occurring.iter().any(|one| leads(one));
    let (large, small): (Vec<_>, Vec<_>) = occurring
        .into_iter()
        .enumerate()
        .partition(|(place, one)| if has_leader { leads(one) } else { *place < 2 });
    html! {
        h3 { "Times by percentile" }
        p.hint {
            b { "Corrected" } " counts from the moment a start was planned, as a user lives it; " b { "uncorrected" }
            " from the moment it was made. Where they part, the load came late: a slow answer hid others behind it, "
            "or the generator was busy (see slip)."
        }
        div.charts { @for (_, one) in &large { (curve(one, LARGE)) } }
        div.charts.small { @for (_, one) in &small { (curve(one, SMALL)) } }
        (table(run))
    }
}

fn curve(one: &Decoded, size: (f64, f64)) -> Markup {
    let (title, about) = words::metric(one.metric);
    figure(title, about, &curves::corrected_and_not(one, size))
}

fn table(run: &RunResult) -> Markup {
    let rows = Metric::ALL
        .iter()
        .filter_map(|metric| Some((*metric, run.times.get(metric.name())?)));
    html! {
        div.scroll { table {
            thead { tr {
                th { "Time" } th { "" }
                @for head in ["Count", "Least", "Mean", "p50", "p90", "p99", "p99.9", "Most"] { th.number { (head) } }
            } }
            tbody { @for (metric, times) in rows.filter(|(_, times)| times.corrected.count > 0) {
                tr { th scope="row" { (words::metric(metric).0) } td { "corrected" } (cells(&times.corrected)) }
                tr.soft { td {} td { "uncorrected" } (cells(&times.uncorrected)) }
            } }
        } }
    }
}

fn cells(summary: &Summary) -> Markup {
    html! {
        td.number { (words::count(summary.count)) }
        @for us in [
            summary.min_us, summary.mean_us, summary.p50_us, summary.p90_us,
            summary.p99_us, summary.p999_us, summary.max_us,
        ] {
            td.number { (words::micros(us)) }
        }
    }
}
