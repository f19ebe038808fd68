//! How the two connections to Redis are, and what follows for the node: its state for people, and whether
//! an absent record proves anything. Not the connections themselves (`link`, `subscriber`).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_core::{BrokerError, BusState};
use switchboard_telemetry::Telemetry;

/// One direction's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    Connecting,
    Up,
    Down(String),
    Deaf,
}

/// Both directions: `link` carries commands out, `bus` brings messages in.
pub(crate) struct Health {
    state: Mutex<State>,
    is_link_up: AtomicBool,
    is_bus_connected: AtomicBool,
    telemetry: Telemetry,
}

#[derive(Debug)]
struct State {
    link: Side,
    bus: Side,
    link_up_since: Option<Instant>,
    links: u64,
    was_up: bool,
}

impl Health {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        telemetry.bus_up(false);
        Self {
            state: Mutex::new(State {
                link: Side::Connecting,
                bus: Side::Connecting,
                link_up_since: None,
                links: 0,
                was_up: false,
            }),
            is_link_up: AtomicBool::new(false),
            is_bus_connected: AtomicBool::new(false),
            telemetry,
        }
    }

    pub(crate) fn link(&self, side: Side) {
        let is_up = side == Side::Up;
        self.is_link_up.store(is_up, Ordering::Release);
        self.change(|state| {
            state.link_up_since = is_up.then(Instant::now);
            state.links += u64::from(is_up);
            state.link = side;
        });
    }

    pub(crate) fn bus(&self, side: Side) {
        self.change(|state| state.bus = side);
    }

    /// A new connection is being subscribed. A deaf node stays deaf until it hears.
    pub(crate) fn bus_rebuilding(&self) {
        self.change(|state| {
            if state.bus != Side::Deaf {
                state.bus = Side::Connecting;
            }
        });
    }

    /// Whether this node's own inbox is subscribed; [`Side::Up`] comes later, when the probe was heard.
    pub(crate) fn bus_connected(&self, is_connected: bool) {
        self.is_bus_connected.store(is_connected, Ordering::Release);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let (now, detail) = state.sum();
        let is_up = now == BusState::Up;
        if is_up != state.was_up {
            state.was_up = is_up;
            self.telemetry.bus_up(is_up);
            if is_up {
                tracing::info!("the bus between nodes is up");
            } else {
                tracing::warn!(state = ?now, detail, "the bus between nodes is not up");
            }
        }
    }

    pub(crate) fn is_link_up(&self) -> bool {
        self.is_link_up.load(Ordering::Acquire)
    }

    /// Whether an attach has something to wait for.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_link_up() && self.is_bus_connected.load(Ordering::Acquire)
    }

    /// The state for programs, and the cause for people.
    pub(crate) fn sum(&self) -> (BusState, String) {
        self.state.lock().sum()
    }

    /// Whether Redis has been reachable for `period`.
    pub(crate) fn reachable_for(&self, period: Duration) -> Result<(), BrokerError> {
        let since = self.state.lock().link_up_since.ok_or(BrokerError::Unavailable)?;
        if since.elapsed() < period {
            return Err(BrokerError::Unsettled);
        }
        Ok(())
    }

    /// The same, but the first connection after the start counts as settled at once.
    pub(crate) fn settled_for(&self, period: Duration) -> Result<(), BrokerError> {
        if self.is_link_up() && self.state.lock().links <= 1 {
            return Ok(());
        }
        self.reachable_for(period)
    }
}

impl State {
    fn sum(&self) -> (BusState, String) {
        match (&self.link, &self.bus) {
            (Side::Down(why), _) | (_, Side::Down(why)) => (BusState::Down, why.clone()),
            (Side::Deaf, _) | (_, Side::Deaf) => (
                BusState::Deaf,
                "connected, but the node does not hear what it publishes".to_owned(),
            ),
            (Side::Connecting, _) => (BusState::Connecting, "connecting to Redis".to_owned()),
            (Side::Up, Side::Connecting) => (BusState::Connecting, "subscribing".to_owned()),
            (Side::Up, Side::Up) => (BusState::Up, String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_directions_together_are_up_and_a_cause_is_named() {
        let health = Health::new(Telemetry::new("n1"));
        assert_eq!(health.sum().0, BusState::Connecting);
        health.link(Side::Up);
        assert_eq!(health.sum().0, BusState::Connecting);
        health.bus(Side::Up);
        assert_eq!(health.sum(), (BusState::Up, String::new()));
        health.bus(Side::Deaf);
        assert_eq!(health.sum().0, BusState::Deaf);
        health.link(Side::Down("refused".into()));
        assert_eq!(health.sum(), (BusState::Down, "refused".into()));
    }

    #[test]
    fn the_first_connection_is_settled_at_once_and_later_ones_after_a_while() {
        let health = Health::new(Telemetry::new("n1"));
        let settle = Duration::from_secs(3);
        assert_eq!(health.settled_for(settle), Err(BrokerError::Unavailable));
        health.link(Side::Up);
        assert_eq!(health.settled_for(settle), Ok(()));
        assert_eq!(health.reachable_for(settle), Err(BrokerError::Unsettled));
        health.link(Side::Down(String::new()));
        health.link(Side::Up);
        assert_eq!(health.settled_for(settle), Err(BrokerError::Unsettled));
        assert_eq!(health.settled_for(Duration::ZERO), Ok(()));
    }
}
