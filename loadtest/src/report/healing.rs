//! The faults of a run: what was done, how soon it was noticed, how soon all were back.

use maud::{Markup, html};

use super::{
    chart::{Axis, Chart, Line, Mark, Unit},
    run::{SMALL, figure},
    words,
};
use crate::results::{FaultResult, RunResult};

/// Faults with a curve, at most; the table has all.
const MOST_CURVES: usize = 12;

/// Points of a curve, at most.
const MOST_POINTS: usize = 600;

/// Table and reconnect curves; nothing if there were no faults.
pub(super) fn faults(run: &RunResult) -> Markup {
    if run.faults.is_empty() {
        return html! {};
    }
    let none = || words::NONE.to_owned();
    html! {
        h3 { "Faults" }
        div.scroll { table {
            thead { tr {
                th { "What" } th.number { "At" } th.number { "Noticed after" } th.number { "All back after" }
                th.number { "Connections before" } th.number { "Fewest after" } th.number { "Imbalance" }
            } }
            tbody { @for fault in &run.faults {
                tr {
                    th scope="row" {
                        (words::label(&fault.what, 80))
                        @if let Some(error) = &fault.error { div.warning { "not done: " (error) } }
                    }
                    td.number { (words::seconds(fault.at_s)) }
                    td.number { (fault.detected_s.map_or_else(none, words::seconds)) }
                    td.number { (fault.reconnected_s.map_or_else(none, words::seconds)) }
                    td.number { (words::count(fault.connected_before)) }
                    td.number { (words::count(fault.connected_least)) }
                    td.number { (fault.imbalance.map_or_else(none, |share| format!("{share:.2} ×"))) }
                }
            } }
        } }
        p.hint {
            "Noticed: the first connection lost or the first error told. Imbalance: the most loaded node over the mean; "
            "1.00 is even. A dash: it did not happen, or not before the next fault or the end."
        }
        div.charts.small {
            @for fault in run.faults.iter().filter(|fault| has_curve(fault)).take(MOST_CURVES) {
                @let title = format!("After {} at {}", words::label(&fault.what, 40), words::seconds(fault.at_s));
                (figure(&title, "connections, in seconds since the fault", &curve(fault)))
            }
        }
    }
}

/// Whether there is something to see: a straight line is not.
fn has_curve(fault: &FaultResult) -> bool {
    fault.curve.len() > 1 && fault.connected_least < fault.connected_before
}

#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn curve(fault: &FaultResult) -> Chart {
    let step = fault.curve.len().div_ceil(MOST_POINTS).max(1);
    // The fewest of each step: a dip must not fall between two points.
    let least = |piece: &[(f64, u64)]| {
        let first = piece.first()?;
        Some((first.0, piece.iter().map(|(_, count)| *count).min()?))
    };
    let points: Vec<(f64, u64)> = fault.curve.chunks(step).filter_map(least).collect();
    let most = points
        .iter()
        .map(|(_, count)| *count)
        .chain([fault.connected_before])
        .max()
        .unwrap_or(1);
    let last = points.last().map_or(1.0, |(at, _)| *at);
    let noticed = fault
        .detected_s
        .map(|at| Mark::new(at, &format!("noticed {}", words::seconds(at))));
    let back = fault
        .reconnected_s
        .map(|at| Mark::new(at, &format!("all back {}", words::seconds(at))));
    Chart {
        about: format!("Connections after {}", fault.what),
        x: Axis::between(0.0, last, Unit::Seconds),
        y: Axis::from_zero(most as f64, Unit::Count),
        xs: points.iter().map(|(at, _)| *at).collect(),
        lines: vec![
            Line {
                name: "connections".to_owned(),
                ys: points.iter().map(|(_, count)| Some(*count as f64)).collect(),
                below: Vec::new(),
                style: 0,
                is_filled: true,
            },
            Line {
                name: "before".to_owned(),
                ys: vec![Some(fault.connected_before as f64); points.len()],
                below: Vec::new(),
                style: 2,
                is_filled: false,
            },
        ],
        marks: noticed.into_iter().chain(back).collect(),
        size: SMALL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_dip_survives_a_long_curve() {
        let mut fault = sample::results().runs.remove(0).faults.remove(0);
        fault.curve = (0..5_000).map(|tenth| (f64::from(tenth) / 10.0, 100)).collect();
        fault.curve[4_321].1 = 7;
        let chart = curve(&fault);
        assert!(chart.xs.len() <= MOST_POINTS && chart.lines[0].ys.contains(&Some(7.0)));
    }

    #[test]
    fn a_fault_that_could_not_be_done_says_why() {
        let mut run = sample::results().runs.remove(0);
        run.faults[0].error = Some("there is no server <n9>".to_owned());
        let page = faults(&run).into_string();
        assert!(page.contains("not done: there is no server &lt;n9&gt;"));
    }
}
