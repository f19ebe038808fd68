//! The table of one group: medians over repeats, their spread, and the ratio to the first row.

use std::fmt::Write as _;

use switchboard_harness::stats::{median, range};

use super::{
    measured::Measured,
    plan::{Column, Group},
};
use crate::{record::Counter, results::Results, run::EXIT_INVALID};

/// As Markdown; columns for which no row has a value are left out.
pub(super) fn table(group: &Group, about: &str, measured: &Measured<'_>) -> String {
    let rows = measured
        .iter()
        .filter_map(|(row, results)| Some((&row.name, results.as_ref()?)));
    let rows: Vec<(&String, &Results)> = rows.collect();
    let columns = group
        .columns
        .iter()
        .filter(|column| rows.iter().any(|(_, row)| !values(column, row).is_empty()));
    let columns: Vec<&Column> = columns.collect();
    let heads = columns.iter().map(|column| column.head.as_str());
    let heads: Vec<&str> = ["server"]
        .into_iter()
        .chain(heads)
        .chain(["violations of sent"])
        .collect();
    let rule = " --- |".repeat(heads.len());
    let mut text = format!(
        "### {}\n\n{about}\n\n| {} |\n|{rule}\n",
        group.title,
        heads.join(" | ")
    );
    for (name, results) in &rows {
        let cells = columns.iter().map(|column| {
            let first = rows.first().and_then(|(_, first)| median(&values(column, first)));
            cell(&values(column, results), first)
        });
        let cells: Vec<String> = cells.chain([violations(results)]).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}

/// The column's value in every repeat that has one.
fn values(column: &Column, results: &Results) -> Vec<f64> {
    let values = results.runs.iter().filter_map(|run| column.value.of(run).ok());
    values
        .filter(|value| *value > 0.0)
        .map(|value| value / column.divide_by)
        .collect()
}

fn cell(values: &[f64], first: Option<f64>) -> String {
    let (Some(middle), Some((low, high))) = (median(values), range(values)) else {
        return "–".to_owned();
    };
    let ratio = first
        .map(|first| middle / first)
        .filter(|ratio| (ratio - 1.0).abs() > f64::EPSILON);
    let ratio = ratio.map(|ratio| format!(", ×{ratio:.2}")).unwrap_or_default();
    let spread = if values.len() > 1 {
        format!(" ({} – {})", short(low), short(high))
    } else {
        String::new()
    };
    format!("{}{spread}{ratio}", short(middle))
}

/// Three significant digits or so.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

fn violations(results: &Results) -> String {
    let total = |counter: Counter| results.runs.iter().map(|run| run.count(counter)).sum::<u64>();
    let found = Counter::VIOLATIONS.iter().filter(|counter| total(**counter) > 0);
    let found: Vec<String> = found
        .map(|counter| format!("{} {}", total(*counter), counter.name()))
        .collect();
    let found = if found.is_empty() {
        "0".to_owned()
    } else {
        found.join(", ")
    };
    let mut text = format!("{found} of {}", total(Counter::Sent));
    if total(Counter::SendErrors) > 0 {
        let _ = write!(text, "; {} errors", total(Counter::SendErrors));
    }
    let is_invalid = |run: &&crate::results::RunResult| run.verdict.exit_code == EXIT_INVALID;
    let invalid = results.runs.iter().filter(is_invalid).count();
    if invalid > 0 {
        let _ = write!(
            text,
            "; {invalid} of {} runs saturated the generator",
            results.runs.len()
        );
    }
    text
}
