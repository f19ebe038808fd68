//! The log lines about the bus: one when a state begins in which it is not up, one a minute while that lasts, one when it
//! is up again. Each names the node, the server, and the effect on users. Not the state itself (`health`), and not when a
//! line is due (`health_lines`).

use std::time::Instant;

use switchboard_core::BusState;

use super::health_lines::{HealthLines, Line};

/// The log of one shard.
#[derive(Debug)]
pub(super) struct HealthLog {
    node: String,
    lines: HealthLines,
    /// Commands that were not carried out before the outage.
    refused_before: u64,
    was_up: bool,
}

/// What the log lines name.
pub(crate) trait About: Send + Sync {
    /// The server.
    fn server(&self) -> String;

    /// The percentage of the peers that it serves; `None` if it serves all.
    fn share(&self) -> Option<usize>;
}

/// How the bus is at one moment.
pub(super) struct Note<'a> {
    pub(super) state: BusState,
    /// For people; empty if the bus is up.
    pub(super) why: &'a str,
    /// Commands that were not carried out, since the start.
    pub(super) refused: u64,
    /// The server; asked for a line only.
    pub(super) about: &'a dyn About,
}

impl HealthLog {
    pub(super) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            lines: HealthLines::default(),
            refused_before: 0,
            was_up: false,
        }
    }

    /// Logs the state if a line is due. Returns whether the bus has come up or gone down.
    pub(super) fn note(&mut self, note: &Note<'_>, now: Instant) -> bool {
        let down_s = self.lines.down_for(now).as_secs();
        if let Some(line) = self.lines.due(note.state, note.why, now) {
            self.log(note, line, down_s);
        }
        let is_up = note.state == BusState::Up;
        if is_up {
            self.refused_before = note.refused;
        }
        std::mem::replace(&mut self.was_up, is_up) != is_up
    }

    fn log(&self, note: &Note<'_>, line: Line, down_s: u64) {
        let (node, server, why) = (&self.node, note.about.server(), note.why);
        let refused = note.refused.saturating_sub(self.refused_before);
        let (is, effect) = words(note.state);
        let share = note.about.share();
        let of = share.map_or_else(String::new, |percent| format!(" for {percent} % of the peers"));
        match line {
            Line::Begins => tracing::warn!(%node, server, why, "the bus between nodes {is}{of}: {effect}"),
            Line::Lasts => {
                tracing::warn!(%node, server, why, down_s, refused, "the bus between nodes still {is}{of}: {effect}");
            }
            Line::Ends => {
                tracing::info!(%node, server, down_s, refused, "the bus between nodes is up{of}: messages pass");
            }
            Line::Repeats(count) => {
                tracing::warn!(%node, server, count, "the bus between nodes was down{of} again and again, and is up: \
                     messages between nodes were late; look for what closes connections");
            }
        }
    }
}

/// The state, and what it means for users.
const fn words(state: BusState) -> (&'static str, &'static str) {
    match state {
        BusState::Up => ("is up", "messages pass"),
        // Of a cluster with several servers; no one server is it.
        BusState::Degraded => ("is degraded", "peers of the servers that are up notice nothing"),
        BusState::Connecting => ("is being connected", WITHOUT_BUS),
        BusState::Down => ("is down", WITHOUT_BUS),
        BusState::Deaf => (
            "is deaf",
            "calls on one node go on; messages from other nodes to this one wait or end in timeout",
        ),
        BusState::Refusing => (
            "is refused",
            "calls on one node go on; those between nodes go on until a lease of 10 s ends without a write, and then wait or \
             end in bus-unavailable or timeout; new clients may be sent away, and sessions not resumed",
        ),
    }
}

const WITHOUT_BUS: &str = "calls on one node go on; other messages wait or end in bus-unavailable or timeout, and no \
                           session is resumed";

#[cfg(test)]
#[path = "health_log_tests.rs"]
mod tests;
