//! The population of rooms: peers that join and leave rooms, and send to them.

use serde::{Deserialize, Serialize};

use super::{Arrivals, Span, Stage};

/// How memberships change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// Each peer in turn joins one room, until all have. The rooms are taken in turn.
    #[default]
    Join,
    /// A peer drawn by chance joins a room drawn by chance, or leaves it if it is in it.
    Churn,
}

/// Peers that join and leave rooms, and send to them. They connect before the load, as sessions.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rooms {
    /// Peers, on all nodes in turn.
    pub peers: usize,
    /// Rooms.
    pub rooms: usize,
    /// How memberships change.
    pub changes: Changes,
    /// Changes a second over all peers.
    pub stages: Vec<Stage>,
    /// How changes, and messages, follow each other.
    pub arrivals: Arrivals,
    /// The peers that send, the first ones. Each sends to the rooms that it is in, in turn.
    pub speakers: usize,
    /// Messages to rooms a second over all speakers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Stage>,
    /// Bytes of a payload.
    pub payload_bytes: usize,
    /// After the load, every roster must be right and every message there within this time.
    pub complete_within: Span,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            peers: 300,
            rooms: 50,
            changes: Changes::default(),
            stages: Vec::new(),
            arrivals: Arrivals::default(),
            speakers: 0,
            messages: Vec::new(),
            payload_bytes: 1200,
            complete_within: Span::from_secs(15),
        }
    }
}
