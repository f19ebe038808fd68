//! The figures that have a budget, as Markdown for people and JSON for programs, with notes on the runs they are of.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;
use switchboard_harness::stats::{median, range};

use super::{
    measured::Measured,
    plan::{Budget, Group},
};
use crate::{
    record::{Counter, decode, new_histogram},
    results::{Results, RunResult},
    thresholds::Figure,
};

/// One figure over all repeats.
#[derive(Debug, Serialize)]
struct Measurement {
    figure: String,
    unit: String,
    budget: f64,
    median: f64,
    repeats: Vec<f64>,
}

/// All figures that have a budget.
#[derive(Debug, Default)]
pub(super) struct Figures {
    measurements: Vec<Measurement>,
    notes: Vec<String>,
}

impl Figures {
    pub(super) fn note(&mut self, note: String) {
        println!("  {note}");
        self.notes.push(note);
    }

    /// Adds the figures of a group, and notes on the runs of a group that has no table of its own.
    pub(super) fn add(&mut self, group: &Group, measured: &Measured<'_>) -> anyhow::Result<()> {
        let of = |slug: &str| {
            let row = measured.iter().find(|(row, _)| row.slug == slug);
            row.and_then(|(_, results)| results.as_ref())
        };
        for (row, results) in measured {
            let Some(results) = results else { continue };
            for budget in &row.budgets {
                let baseline = budget
                    .baseline
                    .as_deref()
                    .map(|slug| of(slug).context("there is no baseline"));
                let repeats = values(budget, results, baseline.transpose()?)?;
                let figure = budget.figure.as_ref().unwrap_or(&row.name).clone();
                let median = median(&repeats).context("nothing was measured")?;
                println!(
                    "  {figure}: {median:.1} {} (budget {})",
                    budget.unit, budget.at_most
                );
                let unit = budget.unit.clone();
                self.measurements.push(Measurement {
                    figure,
                    unit,
                    budget: budget.at_most,
                    median,
                    repeats,
                });
            }
            if group.columns.is_empty() && results.runs.iter().all(|run| run.times.contains_key("one_way")) {
                self.note(format!("{}: {}", row.name, load(results)));
                if let Some(slug) = row.budgets.iter().find_map(|budget| budget.baseline.as_deref()) {
                    self.note(format!(
                        "{}, one way from the intended moment: {}",
                        row.name,
                        one_way(results)?
                    ));
                    let baseline = of(slug).context("there is no baseline")?;
                    self.note(format!(
                        "raw Redis PUBLISH → SUBSCRIBE in the same repeats: {}",
                        one_way(baseline)?
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::from(
            "| figure | median | spread | repeats | budget | |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for Measurement {
            figure,
            unit,
            budget,
            median,
            repeats,
        } in &self.measurements
        {
            let (low, high) = range(repeats).unwrap_or_default();
            let verdict = if median <= budget { "met" } else { "**missed**" };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {figure} | {median:.1} {unit} | {low:.1} – {high:.1} | {} | ≤ {budget} | {verdict} |",
                repeats.len()
            );
        }
        let notes: String = self.notes.iter().map(|note| format!("- {note}\n")).collect();
        format!("{text}\n{notes}")
    }

    pub(super) fn save(&self, file: &Path, violations: u64) -> anyhow::Result<()> {
        let figures = json!({ "figures": self.measurements, "notes": self.notes, "violations": violations });
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| format!("{}", file.display()))
    }
}

fn value(figure: &Figure, run: &RunResult) -> anyhow::Result<f64> {
    figure.of(run).map_err(anyhow::Error::msg)
}

/// The figure in every repeat, less the baseline's in the same repeat.
fn values(budget: &Budget, results: &Results, baseline: Option<&Results>) -> anyhow::Result<Vec<f64>> {
    let Some(baseline) = baseline else {
        return results.runs.iter().map(|run| value(&budget.value, run)).collect();
    };
    let pairs = results.runs.iter().zip(&baseline.runs);
    pairs
        .map(|(run, base)| Ok(value(&budget.value, run)? - value(&budget.value, base)?))
        .collect()
}

/// The median of each of these over the repeats; 0 for what was not measured.
fn load(results: &Results) -> String {
    let middle = |of: &dyn Fn(&RunResult) -> f64| {
        median(&results.runs.iter().map(of).collect::<Vec<_>>()).unwrap_or_default()
    };
    let cost = |name: &str| middle(&|run| run.costs.get(name).copied().unwrap_or_default());
    let sent = |run: &RunResult| run.count(Counter::Sent) as f64;
    format!(
        "{:.0} messages/s, {:.2} Redis commands a message; Redis used {:.1} and the generator {:.1} µs CPU a message ({:.0} messages in a repeat)",
        middle(&|run| sent(run) / run.load_s),
        cost("redis_commands_per_message"),
        cost("cpu_us_per_message_redis"),
        middle(&|run| run.generator.cpu_s * 1e6 / sent(run)),
        middle(&sent)
    )
}

/// The one-way times of all repeats together.
fn one_way(results: &Results) -> anyhow::Result<String> {
    let mut all = new_histogram();
    for times in results.runs.iter().filter_map(|run| run.times.get("one_way")) {
        all.add(decode(&times.corrected.histogram)?)?;
    }
    let at = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
    Ok(format!(
        "p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs",
        at(0.5),
        at(0.99),
        at(0.999)
    ))
}
