//! `docs/benchmarks.md`: what the benchmark found, as a page with a picture.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;

use super::{beside::Beside, report::Report};
use crate::results::Environment;

/// The picture next to the page. `loadtest/picture.mjs` draws it from a report.
const PICTURE: &str = "img/benchmarks.svg";

/// Writes the page.
pub(super) fn write(
    page: &Path,
    costs: &Report,
    beside: &Beside,
    environment: &Environment,
    repeats: usize,
) -> anyhow::Result<()> {
    std::fs::write(page, text(costs, beside, environment, repeats))
        .with_context(|| format!("{} cannot be written", page.display()))
}

fn text(costs: &Report, beside: &Beside, environment: &Environment, repeats: usize) -> String {
    let mut text = format!(
        "# Benchmarks\n\nWritten by `make bench`; do not edit. Medians of {repeats} repeats, in which the contenders take turns, with the least and the \
         most in brackets, and the ratio to the first row. One machine carries servers, Redis and generator: {} × {}, {} GiB, \
         {}. Read ratios, not absolute values. What the figures mean and where the time goes: \
         [performance.md](performance.md); who the rivals are, how they are configured and why that is fair: \
         [rivals.md](rivals.md).\n\n![Switchboard, calls across two nodes: percentiles and course of the first repeat]({PICTURE})\n\n\
         ## Beside others\n\n",
        environment.cores,
        environment.cpu,
        (environment.memory_mib + 512) / 1024,
        environment.kernel
    );
    for table in &beside.tables {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", table.markdown());
    }
    let _ = write!(
        text,
        "## What a connection and a message cost\n\n{}",
        costs.markdown()
    );
    let versions = environment
        .servers
        .iter()
        .map(|(name, version)| format!("{name} {version}"));
    let versions: Vec<String> = versions.collect();
    let commit = environment.commit.as_deref().unwrap_or("unknown");
    let _ = writeln!(text, "\nCommit {commit}; {}.", versions.join(", "));
    text
}
