//! What coordinator and workers tell each other: JSON, a line each.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use switchboard_protocol::Secret;

use crate::{record::Tick, scenario::Scenario};

/// What tokens are signed with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A shared secret. It goes over pipes between processes of one machine only.
    Hs256(#[serde(with = "secret_text")] Secret),
    /// A private key in PEM, and its `kid`.
    Pem(PathBuf, Option<String>),
    /// The agent has its own.
    Own,
}

/// A worker's share of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// The whole scenario, with `target.urls` filled in.
    pub scenario: Scenario,
    /// Which worker this is, from 0.
    pub number: usize,
    /// Of how many; each takes an equal share of everything.
    pub of: usize,
    /// Makes the peer IDs of this run differ from those of others.
    pub tag: String,
    /// Whether connections take source addresses from all over 127.0.0.0/8: one has too few ports.
    pub spread: bool,
    /// What tokens are signed with.
    pub key: Key,
}

/// What the coordinator tells a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Connect idle peers and streams. Answered by [`Report::Ready`].
    Prepare(Box<Assignment>),
    /// Begin the load at this time, in milliseconds since 1970 by the worker's own clock. Ticks follow, then
    /// [`Report::Ended`].
    Start {
        /// When.
        at_unix_ms: u64,
    },
    /// Close all connections and end. Answered by [`Report::Done`].
    Finish,
}

/// What a worker reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Everything that must be there before the load is there.
    Ready,
    /// What was recorded since the last one; about one a second, from the moment `Start` is known.
    Tick(Box<Tick>),
    /// The same before `Start` is known. Its times (`at_ms` of the tick and of its samples) count from `Prepare`.
    Ramp(Box<Tick>),
    /// The load has ended and has settled: every message arrived or was given up. Idle peers are still connected.
    Ended {
        /// Descriptions of the first violations that the oracle found.
        violations: Vec<String>,
    },
    /// The last line; the process ends.
    Done,
    /// It cannot be done; the process ends.
    Failed(String),
}

mod secret_text {
    //! A secret as text, for the pipe to a worker.

    use serde::{Deserialize, Deserializer, Serializer};
    use switchboard_protocol::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        Ok(Secret::new(String::deserialize(deserializer)?))
    }
}
