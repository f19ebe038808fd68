//! The arguments of `bench`.

use std::path::PathBuf;

use clap::Args;

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The node binary; by default the one next to this program.
    #[arg(long, env = "SWITCHBOARD_BIN")]
    pub(crate) binary: Option<PathBuf>,
    /// Compare the modes of Redis instead: one server, a cluster, independent servers.
    #[arg(long)]
    pub(crate) modes: bool,
    /// Everything once and tiny, in a minute: does it still run?
    #[arg(long, conflicts_with = "quick")]
    pub(crate) smoke: bool,
    /// Fewer repeats and connections.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Idle connections; a process holds at most 20,000 files, so the generator uses several.
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// Where the figures go, as JSON.
    #[arg(long, default_value = "out/bench.json")]
    pub(crate) out: PathBuf,
    /// Also write a page for the documentation.
    #[arg(long)]
    pub(crate) page: Option<PathBuf>,
}
