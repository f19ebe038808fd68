//! The state of a shard's two connections, and the conclusions: the node's state for people, and whether
//! an absent record proves anything. Not the connections themselves (`publisher`, `subscriber`).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_core::{BrokerError, BusState};
use switchboard_telemetry::Telemetry;

/// The state of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    Connecting,
    Up,
    Down(String),
    Deaf,
}

/// Both connections: the publisher sends commands, the subscriber receives messages.
pub(crate) struct Health {
    state: Mutex<State>,
    is_publisher_up: AtomicBool,
    is_subscriber_connected: AtomicBool,
    telemetry: Telemetry,
}

#[derive(Debug)]
struct State {
    publisher: ConnectionState,
    subscriber: ConnectionState,
    publisher_up_since: Option<Instant>,
    /// How often the publisher has connected.
    connections: u64,
    was_up: bool,
}

impl Health {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        telemetry.bus_up(false);
        Self {
            state: Mutex::new(State {
                publisher: ConnectionState::Connecting,
                subscriber: ConnectionState::Connecting,
                publisher_up_since: None,
                connections: 0,
                was_up: false,
            }),
            is_publisher_up: AtomicBool::new(false),
            is_subscriber_connected: AtomicBool::new(false),
            telemetry,
        }
    }

    pub(crate) fn set_publisher(&self, publisher: ConnectionState) {
        let is_up = publisher == ConnectionState::Up;
        self.is_publisher_up.store(is_up, Ordering::Release);
        self.change(|state| {
            state.publisher_up_since = is_up.then(Instant::now);
            state.connections += u64::from(is_up);
            state.publisher = publisher;
        });
    }

    pub(crate) fn set_subscriber(&self, subscriber: ConnectionState) {
        self.change(|state| state.subscriber = subscriber);
    }

    /// A new connection is being subscribed. A deaf node stays deaf until it receives a probe.
    pub(crate) fn subscriber_rebuilding(&self) {
        self.change(|state| {
            if state.subscriber != ConnectionState::Deaf {
                state.subscriber = ConnectionState::Connecting;
            }
        });
    }

    /// Whether this node's own channel is subscribed; [`ConnectionState::Up`] comes later, with the first probe.
    pub(crate) fn set_subscriber_connected(&self, is_connected: bool) {
        self.is_subscriber_connected
            .store(is_connected, Ordering::Release);
    }

    /// Whether this node's own channel is subscribed.
    pub(crate) fn is_subscriber_connected(&self) -> bool {
        self.is_subscriber_connected.load(Ordering::Acquire)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let (now, detail) = state.status();
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

    pub(crate) fn is_publisher_up(&self) -> bool {
        self.is_publisher_up.load(Ordering::Acquire)
    }

    /// Whether an attach can be confirmed now.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_publisher_up() && self.is_subscriber_connected()
    }

    /// The state for programs, and the cause for people.
    pub(crate) fn status(&self) -> (BusState, String) {
        self.state.lock().status()
    }

    /// Whether Redis has been reachable for `period`.
    pub(crate) fn reachable_for(&self, period: Duration) -> Result<(), BrokerError> {
        let since = self
            .state
            .lock()
            .publisher_up_since
            .ok_or(BrokerError::Unavailable)?;
        if since.elapsed() < period {
            return Err(BrokerError::Unsettled);
        }
        Ok(())
    }

    /// The same, but the first connection after the start counts as settled at once.
    pub(crate) fn settled_for(&self, period: Duration) -> Result<(), BrokerError> {
        if self.is_publisher_up() && self.state.lock().connections <= 1 {
            return Ok(());
        }
        self.reachable_for(period)
    }
}

impl State {
    fn status(&self) -> (BusState, String) {
        match (&self.publisher, &self.subscriber) {
            (ConnectionState::Down(why), _) | (_, ConnectionState::Down(why)) => {
                (BusState::Down, why.clone())
            }
            (ConnectionState::Deaf, _) | (_, ConnectionState::Deaf) => (
                BusState::Deaf,
                "connected, but the node does not receive its own messages".to_owned(),
            ),
            (ConnectionState::Connecting, _) => (BusState::Connecting, "connecting to Redis".to_owned()),
            (ConnectionState::Up, ConnectionState::Connecting) => {
                (BusState::Connecting, "subscribing".to_owned())
            }
            (ConnectionState::Up, ConnectionState::Up) => (BusState::Up, String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_up_once_both_connections_are_and_a_cause_is_named() {
        let health = Health::new(Telemetry::new("n1"));
        assert_eq!(health.status().0, BusState::Connecting);
        health.set_publisher(ConnectionState::Up);
        assert_eq!(health.status().0, BusState::Connecting);
        health.set_subscriber(ConnectionState::Up);
        assert_eq!(health.status(), (BusState::Up, String::new()));
        health.set_subscriber(ConnectionState::Deaf);
        assert_eq!(health.status().0, BusState::Deaf);
        health.set_publisher(ConnectionState::Down("refused".into()));
        assert_eq!(health.status(), (BusState::Down, "refused".into()));
    }

    #[test]
    fn the_first_connection_is_settled_at_once_and_later_ones_after_a_while() {
        let health = Health::new(Telemetry::new("n1"));
        let settle = Duration::from_secs(3);
        assert_eq!(health.settled_for(settle), Err(BrokerError::Unavailable));
        health.set_publisher(ConnectionState::Up);
        assert_eq!(health.settled_for(settle), Ok(()));
        assert_eq!(health.reachable_for(settle), Err(BrokerError::Unsettled));
        health.set_publisher(ConnectionState::Down(String::new()));
        health.set_publisher(ConnectionState::Up);
        assert_eq!(health.settled_for(settle), Err(BrokerError::Unsettled));
        assert_eq!(health.settled_for(Duration::ZERO), Ok(()));
    }

    #[test]
    fn an_attach_can_be_confirmed_once_both_connections_are_there() {
        let health = Health::new(Telemetry::new("n1"));
        assert!(!health.is_publisher_up() && !health.is_connected());
        health.set_subscriber_connected(true);
        assert!(!health.is_connected());
        health.set_publisher(ConnectionState::Up);
        assert!(health.is_publisher_up() && health.is_connected());
        health.set_subscriber_connected(false);
        assert!(!health.is_connected());
        health.set_publisher(ConnectionState::Down(String::new()));
        assert!(!health.is_publisher_up());
    }

    #[test]
    fn a_deaf_node_stays_deaf_while_its_connection_is_rebuilt() {
        let health = Health::new(Telemetry::new("n1"));
        health.set_publisher(ConnectionState::Up);
        health.set_subscriber(ConnectionState::Deaf);
        health.subscriber_rebuilding();
        assert_eq!(health.status().0, BusState::Deaf);
        health.set_subscriber(ConnectionState::Down("closed".into()));
        assert_eq!(health.status(), (BusState::Down, "closed".into()));
        health.subscriber_rebuilding();
        assert_eq!(health.status(), (BusState::Connecting, "subscribing".into()));
    }

    #[test]
    fn a_lost_publisher_is_not_reachable_and_a_long_connection_is() {
        let health = Health::new(Telemetry::new("n1"));
        health.set_publisher(ConnectionState::Up);
        assert_eq!(health.reachable_for(Duration::ZERO), Ok(()));
        health.set_publisher(ConnectionState::Down(String::new()));
        assert_eq!(
            health.reachable_for(Duration::ZERO),
            Err(BrokerError::Unavailable)
        );
        assert_eq!(health.settled_for(Duration::ZERO), Err(BrokerError::Unavailable));
    }
}
