//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::bench;

/// Exit code when a message was lost, doubled, reordered or changed.
const EXIT_ORACLE: u8 = 98;

/// Measures Switchboard on this machine.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the benchmark: memory and CPU per connection and message, latency beside raw Redis.
    ///
    /// Starts its own redis-server and nodes on free ports of 127.0.0.1 and stops them. CPU is the nodes' run
    /// time as the scheduler counts it, not wall time, and is always given with its rate. Every message is
    /// checked: one lost, doubled, out of order or changed ends the run with exit code 98.
    Bench(BenchArgs),
    /// Hold idle connections; started by `bench` itself.
    #[command(hide = true)]
    BenchWorker(bench::idle::WorkerArgs),
}

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The node binary; by default the one beside this program.
    #[arg(long, env = "SWITCHBOARD_BIN")]
    pub(crate) binary: Option<PathBuf>,
    /// Everything once and tiny, in half a minute: does it still run?
    #[arg(long, conflicts_with = "quick")]
    pub(crate) smoke: bool,
    /// Fewer repeats and connections, in three minutes.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Idle connections; a process holds at most 20,000 files, so the generator uses several.
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// Where the figures go, as JSON.
    #[arg(long, default_value = "out/bench.json")]
    pub(crate) out: PathBuf,
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            match Cli::parse().command {
                Command::Bench(args) => bench::run(args).await,
                Command::BenchWorker(args) => bench::idle::worker(args).await.map(|()| true),
            }
        }),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_ORACLE),
        Err(error) => {
            eprintln!("switchboard-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
