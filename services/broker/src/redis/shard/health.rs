//! The state of a shard's two connections and whether Redis takes writes, and the conclusions: the node's state for
//! people, and whether an absent record proves anything. Not the connections themselves (`publisher`, `subscriber`),
//! and not the log lines (`health_log`).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_core::{BrokerError, BusState};
use switchboard_telemetry::{RedisOp, Telemetry};

use super::health_log::HealthLog;
use crate::redis::refusal::Refusal;

/// How long a refusal counts that nothing repeats and no success of the same kind contradicts.
const REFUSAL_COUNTS_FOR: Duration = Duration::from_secs(5);

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
    /// A copy of `State::refused`, read without a lock for each reply.
    is_refused: AtomicBool,
    telemetry: Telemetry,
}

#[derive(Debug)]
struct State {
    publisher: ConnectionState,
    subscriber: ConnectionState,
    publisher_up_since: Option<Instant>,
    /// How often the publisher has connected.
    connections: u64,
    /// Why Redis takes no writes, since when, and the kind of command that it refused.
    refused: Option<(RedisOp, Instant, String)>,
    log: HealthLog,
}

impl Health {
    /// The health of `node`'s connections to the Redis at `server`.
    pub(crate) fn new(telemetry: Telemetry, node: &str, server: String) -> Self {
        telemetry.bus_up(false);
        Self {
            state: Mutex::new(State {
                publisher: ConnectionState::Connecting,
                subscriber: ConnectionState::Connecting,
                publisher_up_since: None,
                connections: 0,
                refused: None,
                log: HealthLog::new(node, server),
            }),
            is_publisher_up: AtomicBool::new(false),
            is_subscriber_connected: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
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
        if state.log.note(now, &detail, Instant::now()) {
            self.telemetry.bus_up(now == BusState::Up);
        }
    }

    /// Redis refused a command of this kind, and would refuse others.
    pub(crate) fn refused(&self, op: RedisOp, refusal: &Refusal) {
        self.change(|state| state.refused = Some((op, Instant::now(), refusal.text.clone())));
        self.is_refused.store(true, Ordering::Release);
    }

    /// Redis carried out a command of this kind. A renewed lease is a write like any other, so it proves that Redis
    /// takes writes. It proves nothing of a right that another kind of command needs, and nothing of memory: leases are
    /// written into a full Redis, too. Those refusals count for a while longer.
    pub(crate) fn accepted(&self, op: RedisOp) {
        if !self.is_refused.load(Ordering::Acquire) {
            return;
        }
        let counts = |(refused, since, text): &mut (RedisOp, Instant, String)| {
            let is_of_all = !text.contains("NOPERM") && !text.contains("OOM");
            let is_over = op == RedisOp::Lease && (is_of_all || since.elapsed() >= REFUSAL_COUNTS_FOR);
            *refused != op && !is_over
        };
        self.change(|state| {
            state.refused.take_if(|refused| !counts(refused));
            self.is_refused.store(state.refused.is_some(), Ordering::Release);
        });
    }

    /// Whether Redis takes no writes.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Acquire)
    }

    /// Records have vanished from Redis although the connections stayed: absence proves nothing for a while.
    pub(crate) fn records_lost(&self) {
        self.change(|state| {
            state.publisher_up_since = state.publisher_up_since.map(|_| Instant::now());
            state.connections += 1;
        });
    }

    /// Called every few seconds: a state that lasts is logged once a minute.
    pub(crate) fn remind(&self) {
        self.change(|_| {});
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
            (ConnectionState::Connecting | ConnectionState::Up | ConnectionState::Deaf, _)
                if self.refused.is_some() =>
            {
                let why = self.refused.as_ref().map(|(_, _, why)| why.clone());
                (BusState::Refusing, why.unwrap_or_default())
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

    fn health() -> Health {
        Health::new(Telemetry::new("n1"), "n1", "127.0.0.1:1".to_owned())
    }

    fn refusal(code: &str) -> Refusal {
        Refusal::find(code, None).unwrap()
    }

    #[test]
    fn a_redis_that_refuses_writes_is_named_until_it_takes_one() {
        let health = health();
        health.set_publisher(ConnectionState::Up);
        health.set_subscriber(ConnectionState::Up);
        health.refused(RedisOp::Claim, &refusal("MISCONF"));
        let (state, why) = health.status();
        assert!(state == BusState::Refusing && why.contains("MISCONF"), "{why}");
        health.accepted(RedisOp::Publish);
        assert_eq!(health.status().0, BusState::Refusing, "PUBLISH is no write");
        health.accepted(RedisOp::Lease);
        assert_eq!(health.status().0, BusState::Up);
    }

    #[test]
    fn a_right_that_is_missing_for_claims_is_not_proved_by_a_lease() {
        let health = health();
        health.set_publisher(ConnectionState::Up);
        health.set_subscriber(ConnectionState::Up);
        health.refused(RedisOp::Claim, &refusal("NOPERM"));
        health.accepted(RedisOp::Lease);
        assert_eq!(health.status().0, BusState::Refusing);
        health.accepted(RedisOp::Claim);
        assert_eq!(health.status().0, BusState::Up);
    }

    #[test]
    fn after_records_vanished_absence_proves_nothing_for_a_while() {
        let health = health();
        health.set_publisher(ConnectionState::Up);
        assert_eq!(health.settled_for(Duration::from_secs(3)), Ok(()));
        health.records_lost();
        assert_eq!(
            health.settled_for(Duration::from_secs(3)),
            Err(BrokerError::Unsettled)
        );
    }

    #[test]
    fn the_node_is_up_once_both_connections_are_and_a_cause_is_named() {
        let health = health();
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
        let health = health();
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
        let health = health();
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
        let health = health();
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
        let health = health();
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
