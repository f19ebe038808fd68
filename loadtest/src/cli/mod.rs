//! The command line: what there is, and how each command ends. What a command does is in its own file or module.

mod agent;
mod capacity;
mod interrupt;
mod run;
mod scenarios;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    bench, compare,
    fleet::worker,
    run::{EXIT_INVALID, EXIT_ORACLE, Invalid},
    work::Populations,
};

/// The command line, the scenario or this machine is not as it must be; nothing was loaded.
const EXIT_CONFIGURATION: u8 = 2;

const EXIT_CODES: &str = "Exit codes:
  0   success
  2   the command line, the scenario or this machine is not as it must be
  97  the run is invalid: the generator was saturated, a worker died, or you stopped it (its report is written)
  98  the oracle: a message was lost without an error, duplicated, reordered, changed or got no outcome
  99  a threshold was missed, or `compare --fail-on` found something worse

Begin with `switchboard-loadtest list`, then `switchboard-loadtest run calls`. Your own servers:
  switchboard-loadtest run calls --url ws://127.0.0.1:8080/v1/ws --secret-file tokens.secret --set calls.placement=random
`show NAME > mine.toml` begins a scenario of your own, `check mine.toml` lists all its mistakes.";

/// Loads Switchboard, or another signaling server, with many peers that set up calls; checks every message; breaks
/// servers on cue; says how fast and how reliable it all was.
#[derive(Debug, Parser)]
#[command(name = "switchboard-loadtest", version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario: a file, or the name of a preset.
    Run(run::RunArgs),
    /// List the presets with what each is for.
    List,
    /// Print a preset's file, to begin one's own with.
    Show {
        /// Its name.
        preset: String,
    },
    /// Check a scenario without running it.
    Check(scenarios::ScenarioArgs),
    /// Find the highest rate that keeps a scenario's thresholds, by bisection.
    Capacity(capacity::CapacityArgs),
    /// Compare the results of two runs: medians, spread, significance.
    Compare(CompareArgs),
    /// Make load for a coordinator on another machine.
    Agent(agent::AgentArgs),
    /// Run the benchmark: what a connection and a message cost, and a comparison with other servers.
    ///
    /// Starts its own servers on free ports of 127.0.0.1 and stops them. CPU is the servers' run time as the scheduler
    /// counts it, not wall time, and is always given with its rate. Every message is checked: one lost, duplicated, out
    /// of order or changed by Switchboard ends the run with exit code 98.
    Bench(bench::BenchArgs),
    /// Make load for this machine's coordinator; started by it.
    #[command(hide = true)]
    Worker,
}

/// `compare`.
#[derive(Debug, Args)]
struct CompareArgs {
    /// The results before: a results.json.
    a: PathBuf,
    /// The results after.
    b: PathBuf,
    /// Fail when this holds, for example `p99(call_setup) > +10%` or `rate(calls_set_up) < -5%`; may be given again.
    #[arg(long)]
    fail_on: Vec<compare::FailOn>,
    /// As Markdown.
    #[arg(long)]
    markdown: bool,
}

/// Runs what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(run_command(command));
            // A thread in a blocking call must not delay the end of the process.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("switchboard-loadtest: {error:#}");
            let is_invalid = error.downcast_ref::<Invalid>().is_some();
            ExitCode::from(if is_invalid {
                EXIT_INVALID
            } else {
                EXIT_CONFIGURATION
            })
        }
    }
}

async fn run_command(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Run(args) => run::run(args).await,
        Command::List => Ok(scenarios::list()),
        Command::Show { preset } => scenarios::show(&preset),
        Command::Check(args) => scenarios::check(&args),
        Command::Capacity(args) => capacity::capacity(args).await,
        Command::Compare(args) => compare_results(&args),
        Command::Agent(args) => agent::agent(args).await.map(|()| 0),
        Command::Worker => worker::serve_stdio(Populations::default()).await.map(|()| 0),
        Command::Bench(args) => {
            let is_met = bench::run(args).await?;
            Ok(if is_met { 0 } else { EXIT_ORACLE })
        }
    }
}

fn compare_results(args: &CompareArgs) -> anyhow::Result<u8> {
    let a = scenarios::read_results(&args.a)?;
    let b = scenarios::read_results(&args.b)?;
    let comparison = compare::compare(&a, &b, &args.fail_on);
    if args.markdown {
        println!("{}", comparison.markdown());
    } else {
        println!("{comparison}");
    }
    Ok(if comparison.is_failed() {
        compare::EXIT_WORSE
    } else {
        0
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
