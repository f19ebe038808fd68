//! The log lines about the bus: one when it stops to be up, one a minute while that lasts, one when it is up again. Each
//! names the node, the server, and the effect on users. Not the state itself (`health`).

use std::time::{Duration, Instant};

use switchboard_core::BusState;

/// The time between two lines while the bus is not up.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// The lines of one shard.
#[derive(Debug)]
pub(super) struct HealthLog {
    node: String,
    server: String,
    /// Since when it is not up.
    down_since: Option<Instant>,
    /// When that was last logged.
    logged_at: Option<Instant>,
    was_up: bool,
}

impl HealthLog {
    pub(super) fn new(node: &str, server: String) -> Self {
        Self {
            node: node.to_owned(),
            server,
            down_since: None,
            logged_at: None,
            was_up: false,
        }
    }

    /// Logs the state if a line is due. Returns whether the bus has come up or gone down.
    pub(super) fn note(&mut self, state: BusState, why: &str, now: Instant) -> bool {
        let was_up = self.was_up;
        let down_s = self.down_since.map(|since| (now - since).as_secs());
        if self.is_due(state, now) {
            let (node, server) = (&self.node, &self.server);
            if state == BusState::Up {
                tracing::info!(%node, %server, down_s, "the bus between nodes is up");
            } else {
                tracing::warn!(
                    %node,
                    %server,
                    ?state,
                    why,
                    down_s = down_s.unwrap_or_default(),
                    "the bus between nodes is not up: peers of this node reach each other; other sends end in \
                     bus-unavailable or timeout, and no session can be resumed"
                );
            }
        }
        was_up != self.was_up
    }

    /// Notes the state; returns whether a line is due.
    fn is_due(&mut self, state: BusState, now: Instant) -> bool {
        let was_up = std::mem::replace(&mut self.was_up, state == BusState::Up);
        if state == BusState::Up {
            self.down_since = None;
            self.logged_at = None;
            return !was_up;
        }
        let since = *self.down_since.get_or_insert(now);
        // A first connection takes a moment, and that is no news.
        let first = state != BusState::Connecting || was_up || now - since >= REMIND_EVERY;
        let is_due = self
            .logged_at
            .map_or(first, |logged_at| now - logged_at >= REMIND_EVERY);
        if is_due {
            self.logged_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_a_line_at_its_beginning_one_a_minute_and_one_at_its_end() {
        let mut log = HealthLog::new("n1", "127.0.0.1:1".to_owned());
        let start = Instant::now();
        let mut lines = Vec::new();
        // Ten changes a second, as attempts to connect make them.
        for tick in 0..1_300_u32 {
            let now = start + Duration::from_millis(100) * tick;
            let state = match tick {
                0 | 1 => BusState::Connecting,
                2..10 | 1_250.. => BusState::Up,
                _ if tick % 2 == 0 => BusState::Down,
                _ => BusState::Connecting,
            };
            if log.is_due(state, now) {
                lines.push((tick, state));
            }
        }
        let down = |tick| (tick, BusState::Down);
        assert_eq!(
            lines,
            [
                (2, BusState::Up),
                down(10),
                down(610),
                down(1_210),
                (1_250, BusState::Up)
            ]
        );
    }
}
