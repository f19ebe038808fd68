//! The faults of a scenario.

use std::fmt;

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use super::Span;

/// One fault.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, counted from the start of the load (after the ramp of `idle`).
    pub at: Span,
    /// What.
    #[serde(rename = "do")]
    pub action: FaultAction,
    /// Whom: a server of the cluster, for example `n1`, `redis` or `redis-2`. All nodes one after the other for `roll`; not
    /// for `run` and the actions of all of Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How long a `freeze` lasts before the thaw, or a `kill` before the start, by itself; never if left out. How long
    /// a `redis-pause` lasts.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// The slots that `redis-reshard` moves; [`DEFAULT_SLOTS`](Self::DEFAULT_SLOTS) if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<usize>,
    /// The command of `run` and its arguments; no shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FaultAction {
    /// SIGKILL.
    Kill,
    /// Start again what was killed or stopped, at its old address; a Redis comes back empty.
    Start,
    /// SIGSTOP.
    Freeze,
    /// SIGCONT.
    Thaw,
    /// `POST /drain` at the node's ops port: clients are asked to move.
    Drain,
    /// `POST /undrain`.
    Undrain,
    /// SIGTERM, wait for the end, start again, wait until ready; of all nodes one after the other if no server is named.
    Roll,
    /// A replica takes the place of its master, as an operator asks for it (`CLUSTER FAILOVER`, `SENTINEL FAILOVER`).
    RedisFailover,
    /// Slots of a Redis Cluster move with their keys from the master with the most to the one with the fewest.
    RedisReshard,
    /// No Redis server answers (`CLIENT PAUSE`) for a time.
    RedisPause,
    /// A command of the user's.
    Run,
}

impl Fault {
    /// Slots that `redis-reshard` moves if the scenario does not say.
    pub const DEFAULT_SLOTS: usize = 100;
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every action has a name: none is skipped in the derive.
        let name = self.action.to_possible_value();
        f.write_str(name.as_ref().map_or("", |name| name.get_name()))?;
        self.server
            .as_ref()
            .map_or(Ok(()), |server| write!(f, " {server}"))
    }
}
