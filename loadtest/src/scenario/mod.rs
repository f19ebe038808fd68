//! A scenario: the servers, the load, the faults, and the thresholds. The format of the TOML files and of the command
//! line's overrides. Nothing runs here.

mod check;
mod fault;
mod load;
mod mistakes;
mod overrides;
pub(crate) mod presets;
mod rooms;
mod span;
mod target;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use check::{check, load_and_check, problems::MAX_RATE};
pub use fault::{Fault, FaultAction};
pub use load::{
    Abuse, Arrivals, Calls, Idle, Model, Placement, Slow, Stage, Streams, highest_rate, length_of,
};
pub(crate) use overrides::load;
pub use rooms::{Changes, Rooms};
pub use span::Span;
pub use target::{Cluster, DriverKind, Generator, Target};

/// A scenario as it stands in its file. Unknown keys are an error.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One word, for file names and reports.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub about: String,
    /// Where all chance comes from: arrivals, gaps, sizes. The same seed makes the same schedule.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Times the whole run is repeated; figures are then medians.
    #[serde(default = "default_repeats")]
    pub repeats: u32,
    /// How long the last messages and words may take once the load has ended.
    #[serde(default = "default_settle")]
    pub settle: Span,
    /// Who is loaded.
    #[serde(default)]
    pub target: Target,
    /// The cluster that is started for the run when no target is named.
    #[serde(default)]
    pub cluster: Cluster,
    /// Calls that come and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Calls>,
    /// Pairs that stay and send to each other steadily.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Streams>,
    /// Peers that only stay connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// Peers that join and leave rooms, and send to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms: Option<Rooms>,
    /// Connects with tokens that must be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abuse: Option<Abuse>,
    /// Faults, at times counted from the start of the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// What must hold, for example `p99(call_setup) < 50ms` or `lost == 0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
    /// The generator itself.
    #[serde(default)]
    pub generator: Generator,
}

impl Scenario {
    /// How long the load lasts: the longest of its populations.
    #[must_use]
    pub fn length(&self) -> Duration {
        let lengths = [
            self.calls.as_ref().map(|calls| length_of(&calls.stages)),
            self.streams.as_ref().map(|streams| length_of(&streams.stages)),
            self.abuse.as_ref().map(|abuse| length_of(&abuse.stages)),
            self.idle.as_ref().map(|idle| idle.hold.get()),
            self.rooms
                .as_ref()
                .map(|rooms| length_of(&rooms.stages).max(length_of(&rooms.messages))),
        ];
        lengths.into_iter().flatten().max().unwrap_or_default()
    }
}

const fn default_seed() -> u64 {
    1
}

const fn default_repeats() -> u32 {
    1
}

const fn default_settle() -> Span {
    Span::from_secs(8)
}
