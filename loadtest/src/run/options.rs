//! What a run needs in addition to its scenario, and how it fails.

use switchboard_protocol::Secret;
use tokio_util::sync::CancellationToken;

use crate::{exposition::Exposition, fleet::Program};

/// The load began and has no valid figures: a worker died, or a server did not come back.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the run is invalid")]
pub(crate) struct Invalid;

/// What a run needs in addition to its scenario.
#[derive(Debug)]
pub(crate) struct Options {
    /// What a worker process runs.
    pub(crate) program: Program,
    /// The secret that it shares with agents, where the scenario names some.
    pub(crate) agent_secret: Option<Secret>,
    /// Whether servers on other machines may be loaded.
    pub(crate) allow_remote: bool,
    /// Cancelled when the user asks for an early end, with a report of what was measured until then.
    pub(crate) stop: CancellationToken,
    /// Where Prometheus reads the progress, if anywhere.
    pub(crate) exposition: Option<Exposition>,
}
