//! `switchboard-loadtest`: what the cluster costs and how quick it is, against real nodes and a real Redis on
//! this machine. For now the fixed benchmark; scenarios come with the load generator proper.

mod bars;
mod bench;
mod floor;
mod flow;
mod idle;
mod messages;
mod meter;
mod pacer;
mod peers;
mod report;
mod stage;
mod stats;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

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
    Worker(idle::WorkerArgs),
}

/// `bench`.
#[derive(Debug, Args)]
struct BenchArgs {
    /// The node binary; by default the one beside this program.
    #[arg(long, env = "SWITCHBOARD_BIN")]
    binary: Option<PathBuf>,
    /// Everything once and tiny, in half a minute: does it still run?
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Fewer repeats and connections, in three minutes.
    #[arg(long)]
    quick: bool,
    /// Idle connections; a process holds at most 20,000 files, so the generator uses several.
    #[arg(long)]
    connections: Option<usize>,
    /// Where the figures go, as JSON.
    #[arg(long, default_value = "out/bench.json")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            match Cli::parse().command {
                Command::Bench(args) => bench::run(args).await,
                Command::Worker(args) => idle::worker(args).await.map(|()| true),
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
