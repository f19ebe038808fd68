//! The few figures that say the most about a run, their medians over repeats, and the tiles and the table that show
//! them. It computes from counts and summaries; it reads no histograms.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::words;
use crate::{
    record::Counter,
    results::{Results, RunResult, Summary},
};

/// A figure of a run.
struct Figure {
    /// What it is.
    label: &'static str,
    /// The same at the head of a column.
    short: &'static str,
    /// Nothing where it does not occur.
    value: fn(&RunResult) -> Option<f64>,
    /// The figure in words.
    text: fn(f64) -> String,
    /// What stands below it when there is one run.
    note: fn(&RunResult) -> String,
}

const FIGURES: [Figure; 13] = [
    Figure {
        label: "Calls set up",
        short: "Calls",
        value: |run| occurring(run, Counter::CallsStarted, Counter::CallsSetUp),
        text: words::number,
        note: |run| format!("of {} started", words::count(count(run, Counter::CallsStarted))),
    },
    Figure {
        label: "Call set-up, median",
        short: "Set-up p50",
        value: |run| time(run, "call_setup", |times| times.p50_us),
        text: words::micros,
        note: |_| "corrected".to_owned(),
    },
    Figure {
        label: "Call set-up, p99",
        short: "Set-up p99",
        value: |run| time(run, "call_setup", |times| times.p99_us),
        text: words::micros,
        note: |_| "corrected".to_owned(),
    },
    Figure {
        label: "Connect, p99",
        short: "Connect p99",
        value: |run| {
            // Calls connect too, but then their set-up says more.
            (!run.times.contains_key("call_setup"))
                .then(|| time(run, "connect", |times| times.p99_us))
                .flatten()
        },
        text: words::micros,
        note: |_| "corrected".to_owned(),
    },
    Figure {
        label: "Messages sent",
        short: "Sent",
        value: |run| occurring(run, Counter::Sent, Counter::Sent),
        text: words::number,
        note: |run| format!("{} a second", words::number(per_second(run, Counter::Sent))),
    },
    Figure {
        label: "One way, median",
        short: "One way p50",
        value: |run| time(run, "one_way", |times| times.p50_us),
        text: words::micros,
        note: |_| "corrected".to_owned(),
    },
    Figure {
        label: "One way, p99",
        short: "One way p99",
        value: |run| time(run, "one_way", |times| times.p99_us),
        text: words::micros,
        note: |_| "corrected".to_owned(),
    },
    Figure {
        label: "Reconnect, p99",
        short: "Back p99",
        value: |run| time(run, "reconnect", |times| times.p99_us),
        text: words::micros,
        note: |run| format!("{} reconnects", words::count(count(run, Counter::Reconnects))),
    },
    Figure {
        label: "Bad tokens refused",
        short: "Refused",
        value: |run| occurring(run, Counter::AbuseTried, Counter::AbuseRefused),
        text: words::number,
        note: |run| format!("of {} tried", words::count(count(run, Counter::AbuseTried))),
    },
    Figure {
        label: "Connections, peak",
        short: "Peers",
        value: peak_connections,
        text: words::number,
        note: |run| {
            let nodes = run
                .series
                .iter()
                .map(|second| second.connected.len())
                .max()
                .unwrap_or(0);
            format!("on {nodes} {}", if nodes == 1 { "node" } else { "nodes" })
        },
    },
    Figure {
        label: "Per idle connection",
        short: "Per idle",
        value: |run| run.costs.get("kib_per_idle_connection").copied(),
        text: words::memory,
        note: |_| "resident memory of the servers".to_owned(),
    },
    Figure {
        label: "CPU per message",
        short: "CPU / message",
        value: |run| run.costs.get("cpu_us_per_message").copied(),
        text: words::micros,
        note: |_| "of the servers".to_owned(),
    },
    Figure {
        label: "Messages per core",
        short: "Sent / core",
        value: |run| run.costs.get("messages_per_second_per_core").copied(),
        text: words::number,
        note: |_| "a second, of the servers".to_owned(),
    },
];

/// How often it happened in a run.
pub(super) fn count(run: &RunResult, counter: Counter) -> u64 {
    run.counts.get(counter.name()).copied().unwrap_or(0)
}

/// Offences that the oracle found in a run.
pub(super) fn offences(run: &RunResult) -> u64 {
    Counter::SILENT.iter().map(|counter| count(run, *counter)).sum()
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn occurring(run: &RunResult, if_this: Counter, then: Counter) -> Option<f64> {
    (count(run, if_this) > 0).then(|| count(run, then) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn per_second(run: &RunResult, counter: Counter) -> f64 {
    count(run, counter) as f64 / run.load_s
}

fn time(run: &RunResult, metric: &str, read: fn(&Summary) -> f64) -> Option<f64> {
    run.times
        .get(metric)
        .filter(|times| times.corrected.count > 0)
        .map(|times| read(&times.corrected))
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn peak_connections(run: &RunResult) -> Option<f64> {
    let totals = run
        .series
        .iter()
        .map(|second| second.connected.values().sum::<u64>());
    totals.max().filter(|most| *most > 0).map(|most| most as f64)
}

/// The middle of some values; of two middles their mean.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values
        .get(values.len() / 2 - 1)
        .map(|lower| f64::midpoint(*lower, upper))
}

fn range(values: &[f64], text: fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (least, most) = (text(least), text(most));
    if least == most {
        least
    } else {
        format!("{least} … {most}")
    }
}

/// The runs by driver, in the order in which drivers first appear.
fn by_driver(results: &Results) -> Vec<(&str, Vec<&RunResult>)> {
    let mut order: Vec<(&str, Vec<&RunResult>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for run in &results.runs {
        let place = *places.entry(&run.driver).or_insert(order.len());
        match order.get_mut(place) {
            Some((_, runs)) => runs.push(run),
            None => order.push((&run.driver, vec![run])),
        }
    }
    order
}

/// The tiles at the top of the page, a row for each kind of server.
pub(super) fn tiles(results: &Results) -> Markup {
    let drivers = by_driver(results);
    html! {
        @for (driver, runs) in &drivers {
            @if drivers.len() > 1 { h3 { (words::label(driver, 40)) } }
            div.tiles {
                (oracle_tile(runs))
                @for figure in &FIGURES {
                    @let values: Vec<f64> = runs.iter().filter_map(|run| (figure.value)(run)).collect();
                    @if let (Some(value), Some(run)) = (median(values.clone()), runs.first()) {
                        div.tile {
                            div.label { (figure.label) }
                            div.value { ((figure.text)(value)) }
                            div.note {
                                @if values.len() > 1 { (range(&values, figure.text)) } @else { ((figure.note)(run)) }
                            }
                        }
                    }
                }
            }
            @if runs.len() > 1 { p.hint { "Medians of " (runs.len()) " runs; below each the least and the most." } }
        }
    }
}

fn oracle_tile(runs: &[&RunResult]) -> Markup {
    let sum = |counter| runs.iter().map(|run| count(run, counter)).sum::<u64>();
    if sum(Counter::Sent) == 0 {
        return html! {};
    }
    let is_clean = runs.iter().all(|run| offences(run) == 0);
    let others: Vec<String> = words::OFFENCES
        .iter()
        .enumerate()
        .filter(|(place, (counter, ..))| (1..=2).contains(place) || (*place > 2 && sum(*counter) > 0))
        .map(|(_, (counter, name, _))| format!("{} {name}", words::count(sum(*counter))))
        .collect();
    html! {
        div.tile.good[is_clean].bad[!is_clean] {
            div.label { "Silent offences" }
            div.value { (words::count(sum(Counter::LostSilently))) " lost" }
            div.note { (others.join(", ")) }
        }
    }
}

/// A row for each run, and for each kind of server the median, the least and the most; for loads of several runs.
pub(super) fn runs_table(results: &Results) -> Markup {
    let columns: Vec<&Figure> = FIGURES
        .iter()
        .filter(|figure| results.runs.iter().any(|run| (figure.value)(run).is_some()))
        .collect();
    html! {
        div.scroll { table.figures {
            thead { tr {
                th { "Run" } th { "Verdict" } th.number { "Offences" } th.number { "Slip p99" }
                @for column in &columns { th.number title=(column.label) { (column.short) } }
            } }
            @let drivers = by_driver(results);
            @for (driver, runs) in &drivers {
                tbody {
                    @for (index, run) in results.runs.iter().enumerate().filter(|(_, run)| run.driver == *driver) {
                        tr {
                            th scope="row" { (index + 1) @if drivers.len() > 1 { " " span.soft { (words::label(driver, 40)) } } }
                            td { (super::checks::badge(run.verdict.exit_code)) }
                            td.number { (words::count(offences(run))) }
                            td.number { (words::micros(run.generator.slip_p99_us)) }
                            @for column in &columns {
                                td.number { ((column.value)(run).map_or_else(|| words::NONE.to_owned(), column.text)) }
                            }
                        }
                    }
                    @if runs.len() > 1 {
                        (summary_row("median", &columns, runs, |values, text| median(values).map(text)))
                        (summary_row("least", &columns, runs, |values, text| {
                            values.into_iter().reduce(f64::min).map(text)
                        }))
                        (summary_row("most", &columns, runs, |values, text| {
                            values.into_iter().reduce(f64::max).map(text)
                        }))
                    }
                }
            }
        } }
    }
}

fn summary_row(
    name: &str,
    columns: &[&Figure],
    runs: &[&RunResult],
    text: impl Fn(Vec<f64>, fn(f64) -> String) -> Option<String>,
) -> Markup {
    html! {
        tr.summary {
            th scope="row" { (name) } td {} td {}
            @let slips = runs.iter().map(|run| run.generator.slip_p99_us).collect();
            td.number { (text(slips, words::micros).unwrap_or_default()) }
            @for column in columns {
                @let values = runs.iter().filter_map(|run| (column.value)(run)).collect();
                td.number { (text(values, column.text).unwrap_or_else(|| words::NONE.to_owned())) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_loss_in_one_of_the_runs_is_on_the_tile() {
        assert!(
            tiles(&sample::results())
                .into_string()
                .contains("class=\"tile good\"")
        );
        let tiles = tiles(&sample::with_a_loss()).into_string();
        assert!(
            tiles.contains("class=\"tile bad\"") && tiles.contains("1 lost"),
            "{tiles}"
        );
    }

    #[test]
    fn different_servers_have_rows_and_medians_of_their_own() {
        let mut results = sample::results();
        let mut other = sample::results().runs.remove(0);
        other.driver = "peerjs".to_owned();
        results.runs.push(other);
        assert_eq!(
            by_driver(&results)
                .iter()
                .map(|(_, runs)| runs.len())
                .collect::<Vec<_>>(),
            [2, 1]
        );
        assert_eq!(
            runs_table(&results).into_string().matches(">median</th>").count(),
            1
        );
    }
}
