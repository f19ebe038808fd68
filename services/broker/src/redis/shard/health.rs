//! The state of a shard's two connections and whether Redis takes writes, and the conclusions: the node's state for
//! people, and whether an absent record proves anything. Not the connections themselves (`publisher`, `subscriber`),
//! and not the log lines (`health_log`).

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_core::{BrokerError, BusState};
use switchboard_telemetry::{RedisOp, ShardTelemetry};

use super::health_log::{About, HealthLog, Note};
use crate::redis::refusal::{Reaction, Refusal};

/// How long a refusal counts that nothing repeats and no success of the same kind contradicts.
const REFUSAL_COUNTS_FOR: Duration = Duration::from_secs(5);

/// Where Redis refuses some commands of a kind, others of it may do without the right or the memory that is missing. The
/// kind works again once none was refused for this time.
const QUIET_FOR: Duration = Duration::from_millis(500);

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
    /// Commands that were not carried out, since the start.
    refused_commands: AtomicU64,
    about: Box<dyn About>,
    telemetry: ShardTelemetry,
}

#[derive(Debug)]
struct State {
    publisher: ConnectionState,
    subscriber: ConnectionState,
    publisher_up_since: Option<Instant>,
    /// How often the publisher has connected.
    connections: u64,
    /// The server has been up since the start.
    was_up: bool,
    refused: Option<Refused>,
    log: HealthLog,
}

/// Redis takes no commands of a kind, or none at all.
#[derive(Debug)]
struct Refused {
    /// The kind of the command that it refused last.
    op: RedisOp,
    at: Instant,
    refusal: Refusal,
}

impl Refused {
    /// Whether it is over now that Redis has carried out a command of the kind `op`. A renewed lease is a write like any
    /// other, so it proves that Redis takes writes; another command may have written nothing. The lease proves nothing of a
    /// right that another kind of command needs, and nothing of memory: leases are written into a full Redis, too. Then a
    /// command of that kind counts, unless one of them was refused a moment ago.
    fn is_over(&self, op: RedisOp) -> bool {
        let quiet = self.at.elapsed();
        match self.refusal.reaction {
            Reaction::WaitForKind if self.op == op => quiet >= QUIET_FOR,
            Reaction::WaitForKind => op == RedisOp::Lease && quiet >= REFUSAL_COUNTS_FOR,
            Reaction::SendSource | Reaction::Fail | Reaction::Wait | Reaction::Redial => op == RedisOp::Lease,
        }
    }
}

impl Health {
    /// The health of `node`'s connections to the Redis that `about` names.
    pub(crate) fn new(telemetry: ShardTelemetry, node: &str, about: Box<dyn About>) -> Self {
        telemetry.bus_up(false);
        Self {
            state: Mutex::new(State {
                publisher: ConnectionState::Connecting,
                subscriber: ConnectionState::Connecting,
                publisher_up_since: None,
                connections: 0,
                was_up: false,
                refused: None,
                log: HealthLog::new(node),
            }),
            is_publisher_up: AtomicBool::new(false),
            is_subscriber_connected: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            refused_commands: AtomicU64::new(0),
            about,
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
        state.was_up |= now == BusState::Up;
        let note = Note {
            state: now,
            why: &detail,
            refused: self.refused_commands.load(Ordering::Relaxed),
            about: self.about.as_ref(),
        };
        if state.log.note(&note, Instant::now()) {
            self.telemetry.bus_up(now == BusState::Up);
        }
    }

    /// The server, for people.
    pub(crate) fn server(&self) -> String {
        self.about.server()
    }

    /// So many commands of clients were not carried out.
    pub(crate) fn count_refused(&self, commands: usize) {
        let commands = u64::try_from(commands).unwrap_or(u64::MAX);
        self.refused_commands.fetch_add(commands, Ordering::Relaxed);
    }

    /// Redis refused a command of this kind, and would refuse others.
    pub(crate) fn refused(&self, op: RedisOp, refusal: Refusal) {
        let at = Instant::now();
        self.change(|state| state.refused = Some(Refused { op, at, refusal }));
        self.is_refused.store(true, Ordering::Release);
    }

    /// Redis carried out a command of this kind.
    pub(crate) fn accepted(&self, op: RedisOp) {
        if !self.is_refused.load(Ordering::Acquire) {
            return;
        }
        self.change(|state| {
            state.refused.take_if(|refused| refused.is_over(op));
            self.is_refused.store(state.refused.is_some(), Ordering::Release);
        });
    }

    /// Redis says that it has memory.
    pub(crate) fn has_memory(&self) {
        if !self.is_refused.load(Ordering::Acquire) {
            return;
        }
        self.change(|state| {
            state.refused.take_if(|refused| refused.refusal.is_of_memory);
            self.is_refused.store(state.refused.is_some(), Ordering::Release);
        });
    }

    /// Whether Redis takes no writes.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Acquire)
    }

    /// Records have vanished from Redis although the connections stayed: absence proves nothing for a while.
    pub(crate) fn records_lost(&self) {
        self.telemetry.redis_lost_records();
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

    /// Whether the server has been up since the start.
    pub(crate) fn was_up(&self) -> bool {
        self.state.lock().was_up
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
                let why = self.refused.as_ref().map(|refused| refused.refusal.text());
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

    struct Alone;

    impl About for Alone {
        fn server(&self) -> String {
            "127.0.0.1:1".to_owned()
        }

        fn share(&self) -> Option<usize> {
            None
        }
    }

    fn health() -> Health {
        let telemetry = switchboard_telemetry::Telemetry::new("n1").of_shard("127.0.0.1:1");
        Health::new(telemetry, "n1", Box::new(Alone))
    }

    impl Health {
        /// As if the refusal were so old.
        fn refused_before(&self, age: Duration) {
            if let Some(refused) = &mut self.state.lock().refused {
                refused.at -= age;
            }
        }
    }

    fn refusal(code: &str) -> Refusal {
        Refusal::of(RedisOp::Claim, code, None)
    }

    #[test]
    fn a_redis_that_refuses_writes_is_named_until_it_takes_one() {
        let health = health();
        health.set_publisher(ConnectionState::Up);
        health.set_subscriber(ConnectionState::Up);
        health.refused(RedisOp::Claim, refusal("MISCONF"));
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
        health.refused(RedisOp::Claim, refusal("NOPERM"));
        health.accepted(RedisOp::Lease);
        assert_eq!(health.status().0, BusState::Refusing);
        health.accepted(RedisOp::Claim);
        assert_eq!(health.status().0, BusState::Refusing, "one was refused just now");
        health.refused_before(QUIET_FOR);
        health.accepted(RedisOp::Lease);
        assert_eq!(health.status().0, BusState::Refusing);
        health.accepted(RedisOp::Claim);
        assert_eq!(health.status().0, BusState::Up);
    }

    #[test]
    fn while_no_writes_are_taken_a_command_that_only_read_proves_nothing() {
        let health = health();
        health.set_publisher(ConnectionState::Up);
        health.set_subscriber(ConnectionState::Up);
        health.refused(RedisOp::OfflineQueue, refusal("MISCONF"));
        health.refused_before(2 * REFUSAL_COUNTS_FOR);
        health.accepted(RedisOp::OfflineQueue);
        assert_eq!(health.status().0, BusState::Refusing);
        health.accepted(RedisOp::Lease);
        assert_eq!(health.status().0, BusState::Up);
    }

    #[test]
    fn free_memory_ends_a_lack_of_memory_and_nothing_else() {
        let health = health();
        health.set_publisher(ConnectionState::Up);
        health.set_subscriber(ConnectionState::Up);
        for (code, state) in [("OOM", BusState::Up), ("NOPERM", BusState::Refusing)] {
            health.refused(RedisOp::OfflineQueue, refusal(code));
            health.has_memory();
            assert_eq!(health.status().0, state, "{code}");
        }
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
