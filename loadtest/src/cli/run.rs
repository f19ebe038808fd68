//! `run`: a scenario, live, and its report.

use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{interrupt::until_second, scenarios::ScenarioArgs};
use crate::{
    exposition::Exposition,
    fleet::{Program, handshake::read_secret},
    live::Live,
    record::Counter,
    report,
    results::{Results, RunResult},
    run::{self, Options},
    scenario::Scenario,
};

/// How a run is made and shown.
#[derive(Debug, Args)]
pub(super) struct Manner {
    /// Where the report goes; by default out/loadtest/NAME.
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// Plain lines instead of the live view.
    #[arg(long)]
    pub(super) plain: bool,
    /// The secret that this coordinator shares with its agents.
    #[arg(long)]
    pub(super) agents_secret_file: Option<PathBuf>,
    /// Load servers that are not on this machine. Only ever your own.
    #[arg(long)]
    pub(super) allow_remote: bool,
    /// Serve the progress for Prometheus at http://ADDRESS/metrics, for example 127.0.0.1:9464.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) metrics_listen: Option<String>,
}

impl Manner {
    pub(super) async fn options(&self) -> anyhow::Result<Options> {
        let exposition = match &self.metrics_listen {
            Some(address) => Some(Exposition::listen(address).await?),
            None => None,
        };
        Ok(Options {
            stop: CancellationToken::new(),
            exposition,
            program: Program::this()?,
            agent_secret: self.agents_secret_file.as_deref().map(read_secret).transpose()?,
            allow_remote: self.allow_remote,
        })
    }

    /// Makes the folder of the report: before the run, because afterwards its figures would be lost.
    pub(super) fn folder(&self, scenario: &Scenario) -> anyhow::Result<PathBuf> {
        let default = || Path::new("out/loadtest").join(&scenario.name);
        let folder = self.out.clone().unwrap_or_else(default);
        report::make_folder(&folder)?;
        Ok(folder)
    }
}

/// `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    #[command(flatten)]
    manner: Manner,
    /// Also write the thresholds and checks as JUnit XML, for CI.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs it; the exit code.
pub(super) async fn run(args: RunArgs) -> anyhow::Result<u8> {
    let scenario = args.scenario.load()?;
    let options = args.manner.options().await?;
    let folder = args.manner.folder(&scenario)?;
    if let Some(parent) = args.junit.as_deref().and_then(Path::parent) {
        report::make_folder(parent)?;
    }
    let mut live = Live::start(args.manner.plain);
    let results = until_second(&options.stop, run::run(&scenario, &options, &mut live)).await;
    drop(live);
    let results = results?;
    let written = report::write(&results, &folder)?;
    if let Some(file) = &args.junit {
        report::write_junit(&results, file)?;
    }
    print_end(&results);
    println!(
        "report: {}; its folder has {} files",
        written.page.display(),
        written.files.len()
    );
    Ok(run::worst(results.runs.iter().map(|run| run.verdict.exit_code)))
}

/// The results in a few lines, for users who do not open the report.
pub(super) fn print_end(results: &Results) {
    for (number, run) in results.runs.iter().enumerate() {
        println!("\n{} run {}: {}", results.name, number + 1, summary(run));
        for (name, times) in &run.times {
            let of = &times.corrected;
            println!(
                "  {name:<14} p50 {:>9.2} ms   p99 {:>9.2} ms   max {:>9.2} ms   ({} times)",
                of.p50_us / 1e3,
                of.p99_us / 1e3,
                of.max_us / 1e3,
                of.count
            );
        }
        for (name, cost) in &run.costs {
            println!("  {name:<32} {cost:>12.2}");
        }
        for fault in &run.faults {
            let seconds = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.1} s"));
            let (detected, reconnected) = (seconds(fault.detected_s), seconds(fault.reconnected_s));
            let failed = fault
                .error
                .as_ref()
                .map(|error| format!(", FAILED: {error}"))
                .unwrap_or_default();
            println!(
                "  at {:>5.1} s {:<20} noticed after {detected}, all connected after {reconnected}{failed}",
                fault.at_s, fault.what
            );
        }
        for (text, count) in run.errors.iter() {
            println!("  {count:>7} × {text}");
        }
        for threshold in &run.thresholds {
            let mark = if threshold.is_met { "kept  " } else { "MISSED" };
            println!("  {mark} {} ({})", threshold.text, threshold.measured);
        }
        for reason in &run.verdict.reasons {
            println!("  exit code {}: {reason}", run.verdict.exit_code);
        }
        for story in run.violations.iter().take(3) {
            println!("  violation: {story}");
        }
    }
}

fn summary(run: &RunResult) -> String {
    let verdict = if run.verdict.exit_code == 0 {
        "ok"
    } else {
        "NOT OK"
    };
    let counters = [Counter::Sent, Counter::Arrived, Counter::SendErrors];
    let counters = counters.iter().chain(Counter::VIOLATIONS);
    let counts: Vec<_> = counters
        .map(|counter| format!("{} {}", counter.name(), run.count(*counter)))
        .collect();
    format!("{verdict} – {}", counts.join(", "))
}
