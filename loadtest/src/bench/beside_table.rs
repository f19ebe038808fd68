//! The table of one match: medians over repeats, their spread, and the ratio to the first contender.

use std::{fmt::Write as _, ops::Range};

use super::stats::Repeats;
use crate::{
    record::{Counter, Metric},
    results::{Results, RunResult},
};

/// Those of call set-up, of messages, of idle connections.
pub(super) const OF_CALLS: Range<usize> = 0..6;
pub(super) const OF_MESSAGES: Range<usize> = 2..6;
pub(super) const OF_IDLE: Range<usize> = 6..7;

/// A column: its head and where its value comes from; `None` where a contender has none.
type Column = (&'static str, fn(&RunResult) -> Option<f64>);

const COLUMNS: [Column; 7] = [
    ("call set-up p50, ms", |run| {
        time(run, Metric::CallSetup, |of| of.p50_us)
    }),
    ("call set-up p99, ms", |run| {
        time(run, Metric::CallSetup, |of| of.p99_us)
    }),
    ("one way p50, ms", |run| time(run, Metric::OneWay, |of| of.p50_us)),
    ("one way p99, ms", |run| time(run, Metric::OneWay, |of| of.p99_us)),
    ("servers' CPU a message, µs", |run| {
        cost(run, "cpu_us_per_message")
    }),
    ("Redis' CPU a message, µs", |run| {
        cost(run, "cpu_us_per_message_redis")
    }),
    ("KiB a connection", |run| cost(run, "kib_per_idle_connection")),
];

fn time(run: &RunResult, metric: Metric, of: fn(&crate::results::Summary) -> f64) -> Option<f64> {
    let times = run.times.get(metric.name())?;
    (times.corrected.count > 0).then(|| of(&times.corrected) / 1e3)
}

fn cost(run: &RunResult, name: &str) -> Option<f64> {
    run.costs.get(name).copied().filter(|cost| *cost > 0.0)
}

struct Row {
    name: &'static str,
    values: Vec<Option<Repeats>>,
    sent: u64,
    told: u64,
    offences: Vec<(Counter, u64)>,
    invalid: usize,
    repeats: usize,
}

/// The table of one match.
pub(super) struct Table {
    title: &'static str,
    about: String,
    /// Which columns say something about this load.
    columns: Range<usize>,
    rows: Vec<Row>,
}

impl Table {
    pub(super) fn new(title: &'static str, about: String, columns: Range<usize>) -> Self {
        Self {
            title,
            about,
            columns,
            rows: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, name: &'static str, results: &Results) {
        let runs = &results.runs;
        let values = COLUMNS.iter().map(|(_, of)| {
            let values: Vec<f64> = runs.iter().filter_map(of).collect();
            (!values.is_empty()).then(|| Repeats::new(values))
        });
        let count = |counter: Counter| {
            let counts = runs.iter().filter_map(|run| run.counts.get(counter.name()));
            counts.sum::<u64>()
        };
        let offences = Counter::VIOLATIONS
            .iter()
            .map(|counter| (*counter, count(*counter)));
        self.rows.push(Row {
            name,
            values: values.collect(),
            sent: count(Counter::Sent),
            told: count(Counter::SendErrors),
            offences: offences.filter(|(_, count)| *count > 0).collect(),
            invalid: runs
                .iter()
                .filter(|run| run.verdict.exit_code == crate::run::EXIT_INVALID)
                .count(),
            repeats: runs.len(),
        });
    }

    /// As Markdown; columns that nobody has a value for are left out.
    pub(super) fn markdown(&self) -> String {
        let shown: Vec<usize> = self
            .columns
            .clone()
            .filter(|column| self.rows.iter().any(|row| value(row, *column).is_some()))
            .collect();
        // Writing to a String cannot fail.
        let mut text = format!("### {}\n\n{}\n\n|", self.title, self.about);
        let heads = shown
            .iter()
            .filter_map(|column| COLUMNS.get(*column))
            .map(|(head, _)| *head);
        for head in ["server"].into_iter().chain(heads).chain(["wrong of sent"]) {
            let _ = write!(text, " {head} |");
        }
        let _ = writeln!(text, "\n|{}", " --- |".repeat(shown.len() + 2));
        for row in &self.rows {
            let _ = write!(text, "| {} |", row.name);
            for column in &shown {
                let first = self.rows.first().and_then(|row| value(row, *column));
                let _ = write!(text, " {} |", cell(value(row, *column), first, row.repeats));
            }
            let _ = writeln!(text, " {} |", wrong(row));
        }
        text
    }
}

fn value(row: &Row, column: usize) -> Option<&Repeats> {
    row.values.get(column)?.as_ref()
}

fn cell(value: Option<&Repeats>, first: Option<&Repeats>, repeats: usize) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    let (low, high) = value.range();
    let ratio = first.map(|first| value.median() / first.median());
    let ratio = ratio.filter(|ratio| (ratio - 1.0).abs() > f64::EPSILON);
    let ratio = ratio.map(|ratio| format!(", ×{ratio:.2}")).unwrap_or_default();
    if repeats > 1 {
        format!(
            "{} ({} – {}){ratio}",
            short(value.median()),
            short(low),
            short(high)
        )
    } else {
        format!("{}{ratio}", short(value.median()))
    }
}

/// Three significant digits or so.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn wrong(row: &Row) -> String {
    let offences: Vec<String> = row
        .offences
        .iter()
        .map(|(counter, count)| format!("{count} {}", counter.name()))
        .collect();
    let mut text = if offences.is_empty() {
        "0".to_owned()
    } else {
        offences.join(", ")
    };
    let _ = write!(text, " of {}", row.sent);
    if row.told > 0 {
        let _ = write!(text, "; {} told", row.told);
    }
    if row.invalid > 0 {
        let _ = write!(
            text,
            "; {} of {} runs saturated the generator",
            row.invalid, row.repeats
        );
    }
    text
}
