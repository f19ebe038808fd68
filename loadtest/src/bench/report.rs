//! The figures as a table for people, Markdown for the documentation, JSON for programs.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{bars::Bar, stats::Repeats};

/// Everything a benchmark found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<(Bar, Repeats)>,
    notes: Vec<String>,
    pub(crate) wrong: u64,
}

impl Report {
    pub(crate) fn figure(&mut self, bar: Bar, values: Vec<f64>) {
        let repeats = Repeats::new(values);
        println!(
            "  {}: {:.1} {} (bar {})",
            bar.figure,
            repeats.median(),
            bar.unit,
            bar.at_most
        );
        self.rows.push((bar, repeats));
    }

    pub(crate) fn note(&mut self, note: String) {
        println!("  {note}");
        self.notes.push(note);
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "| figure | median | spread | repeats | first bar | |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for (bar, repeats) in &self.rows {
            let (low, high) = repeats.range();
            let verdict = if repeats.median() <= bar.at_most {
                "met"
            } else {
                "**missed**"
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {:.1} {} | {low:.1} – {high:.1} | {} | ≤ {} | {verdict} |",
                bar.figure,
                repeats.median(),
                bar.unit,
                repeats.count(),
                bar.at_most
            );
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    pub(crate) fn save(&self, file: &Path) -> anyhow::Result<()> {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(bar, repeats)| json!({ "figure": bar.figure, "unit": bar.unit, "bar": bar.at_most, "median": repeats.median(), "repeats": repeats }))
            .collect();
        let report = json!({ "figures": rows, "notes": self.notes, "wrong": self.wrong });
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", file.display()))
    }
}
