//! What had to hold: verdict, thresholds, the oracle's counts and stories, errors. It judges nothing anew.

use maud::{Markup, html};

use super::{figures, words};
use crate::{
    record::{Counter, ErrorTally},
    results::{Results, RunResult},
};

/// The exit codes from the worst to the best: a lost message stays lost, however busy the generator was.
const WORST_FIRST: [u8; 3] = [98, 97, 99];

/// The worst exit code of all runs.
pub(super) fn worst(results: &Results) -> u8 {
    let codes = || results.runs.iter().map(|run| run.verdict.exit_code);
    let known = WORST_FIRST
        .into_iter()
        .find(|code| codes().any(|other| other == *code));
    known.or_else(|| codes().max()).unwrap_or(0)
}

/// A class of the style sheet and the words of an exit code.
pub(super) const fn verdict(exit_code: u8) -> (&'static str, &'static str, &'static str) {
    match exit_code {
        0 => ("ok", "Passed", "everything held that had to hold"),
        97 => (
            "invalid",
            "Invalid",
            "the generator could not make this load; the figures are not the servers'",
        ),
        98 => (
            "failed",
            "Oracle failed",
            "messages went wrong and nobody was told",
        ),
        99 => (
            "failed",
            "Threshold missed",
            "a threshold of the scenario was missed",
        ),
        _ => (
            "invalid",
            "Unknown",
            "an exit code that this program does not know",
        ),
    }
}

/// A small badge.
pub(super) fn badge(exit_code: u8) -> Markup {
    let (class, title, _) = verdict(exit_code);
    html! { span class=(format!("badge {class}")) { (title) } }
}

/// The badge at the top, with the reasons of all runs.
pub(super) fn banner(results: &Results) -> Markup {
    let code = worst(results);
    let (class, title, about) = verdict(code);
    let is_one = results.runs.len() == 1;
    html! {
        section class=(format!("banner {class}")) {
            div.big { (title) }
            div {
                p { (about) span.soft { " · exit code " (code) } }
                @if results.runs.iter().any(|run| !run.verdict.reasons.is_empty()) {
                    ul {
                        @for (index, run) in results.runs.iter().enumerate() {
                            @for reason in &run.verdict.reasons {
                                li { @if !is_one { b { "Run " (index + 1) ": " } } (reason) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The thresholds of a run.
pub(super) fn thresholds(run: &RunResult) -> Markup {
    html! {
        h3 { "Thresholds" }
        @if run.thresholds.is_empty() { p.soft { "The scenario names none." } }
        @else {
            div.scroll { table {
                thead { tr { th { "What had to hold" } th.number { "Measured" } th { "" } } }
                tbody { @for threshold in &run.thresholds {
                    tr {
                        td { code { (threshold.text) } }
                        td.number { (threshold.measured) }
                        td {
                            @if threshold.is_kept { span.badge.ok { "kept" } } @else { span.badge.failed { "missed" } }
                        }
                    }
                } }
            } }
        }
    }
}

/// What the oracle counted in a run.
pub(super) fn oracle(run: &RunResult) -> Markup {
    let fates = [
        (Counter::Sent, "messages sent"),
        (Counter::Delivered, "final words “delivered”"),
        (
            Counter::Told,
            "ended in an error that the sender was told: lost, but not silently",
        ),
        (Counter::Arrived, "arrived at their receiver"),
    ];
    let full = figures::count(run, Counter::OracleFull);
    html! {
        h3 { "Oracle" }
        @if full > 0 {
            p.warning { "The oracle had no room for " (words::count(full)) " messages; nothing is known of those." }
        }
        div.scroll { table {
            tbody {
                @for (counter, about) in fates {
                    tr {
                        th scope="row" { (counter.name()) }
                        td.number { (words::count(figures::count(run, counter))) }
                        td.soft { (about) }
                    }
                }
                @for (counter, name, about) in words::OFFENCES {
                    @let count = figures::count(run, counter);
                    tr.offence[count > 0] {
                        th scope="row" { (name) }
                        td.number { (words::count(count)) }
                        td.soft { (about) }
                    }
                }
            }
        } }
        @if !run.stories.is_empty() {
            details open {
                summary { "The first offences, in full" }
                ol.stories { @for story in &run.stories { li { code { (story) } } } }
            }
        }
    }
}

/// What went wrong and was told.
pub(super) fn errors(errors: &ErrorTally) -> Markup {
    let mut errors: Vec<(&str, u64)> = errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    html! {
        h3 { "Errors" }
        @if errors.is_empty() { p.soft { "None." } }
        @else {
            div.scroll { table {
                tbody { @for (text, count) in errors {
                    tr { td { (words::label(text, 200)) } td.number { (words::count(count)) } }
                } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_worst_run_decides_and_its_reasons_are_told() {
        let mut results = sample::with_a_loss();
        results.runs[0].verdict.exit_code = 99;
        assert_eq!(worst(&results), 98);
        let banner = banner(&results).into_string();
        assert!(
            banner.contains("Oracle failed") && banner.contains("1 message was lost silently"),
            "{banner}"
        );
        assert!(banner.contains("Run 2: "));
        assert_eq!(worst(&sample::results()), 0);
    }

    #[test]
    fn a_missed_threshold_is_marked() {
        let mut run = sample::results().runs.remove(0);
        run.thresholds[0].is_kept = false;
        let table = thresholds(&run).into_string();
        assert_eq!(
            (table.matches(">missed<").count(), table.matches(">kept<").count()),
            (1, 1)
        );
        assert!(table.contains("p99(call_setup) &lt; 2s"));
    }
}
