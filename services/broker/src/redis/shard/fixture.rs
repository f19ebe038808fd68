//! A shard without a Redis, for tests: its commands are read from the queue, and the node's events are kept.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use switchboard_core::{
    Asker, BrokerError, BrokerEvents, JoinError, Located, Presence, RoomDelta, RoomJoined, RoomLeft,
    StoreOutcome, StoredMessage,
};
use switchboard_protocol::{
    MessageId, Mid, NodeId, NodeMessage, PeerId, PeerKey, PresenceState, ResumeToken, Revocation, RoomKey,
    SessionId,
};
use switchboard_telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use super::{
    health::ConnectionState,
    state::{Shard, Shared},
};
use crate::{
    queue::{self, Receiver},
    redis::{
        claim::LocalClaim, command::Command, config::RedisConfig, node_run::NodeRun, pool, record::Owner,
    },
};

/// An event that the node received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    NodeMessage(NodeMessage),
    Published(Result<u64, BrokerError>),
    Stored(Result<StoreOutcome, BrokerError>),
    Located(Result<Presence, BrokerError>),
    OfflineQueue(SessionId, Vec<Bytes>),
}

/// Keeps events.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

impl Events {
    /// The events since the last call.
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl BrokerEvents for Events {
    fn on_revoked(&self, _: Vec<Revocation>, _: u64) {}

    fn on_revocations_read(&self, _: Vec<Revocation>, _: u64) -> Vec<Revocation> {
        Vec::new()
    }

    fn on_message(&self, to: &str, _: Bytes) {
        panic!("no message is expected for {to}");
    }

    fn on_node_message(&self, message: Bytes) {
        let message = NodeMessage::decode(&message).unwrap();
        self.0.lock().push(Event::NodeMessage(message));
    }

    fn on_published(&self, _: Mid, _: &PeerKey, outcome: Result<u64, BrokerError>) {
        self.0.lock().push(Event::Published(outcome));
    }

    fn on_stored(&self, _: Mid, _: &PeerKey, outcome: Result<StoreOutcome, BrokerError>) {
        self.0.lock().push(Event::Stored(outcome));
    }

    fn on_offline_queue(&self, _: &PeerKey, session: SessionId, messages: Vec<Bytes>) {
        self.0.lock().push(Event::OfflineQueue(session, messages));
    }

    fn on_located(&self, _: Asker, _: &PeerKey, outcome: Result<Located, BrokerError>) {
        let outcome = outcome.map(|located| located.presence);
        self.0.lock().push(Event::Located(outcome));
    }

    fn on_watching(&self, peer: &str) {
        panic!("{peer} is not watched");
    }

    fn on_presence(&self, peer: &str, _: u64, _: PresenceState) {
        panic!("{peer} is not watched");
    }

    fn on_session_ended(&self, peer: &PeerKey, _: SessionId) {
        panic!("no session of {peer} was detached");
    }

    fn on_room_joined(&self, room: &RoomKey, _: &PeerId, _: SessionId, _: Result<RoomJoined, JoinError>) {
        panic!("no event is expected for {room}");
    }

    fn on_room_left(&self, room: &RoomKey, _: RoomLeft) {
        panic!("no event is expected for {room}");
    }

    fn on_room_delta(&self, room: &RoomKey, _: RoomDelta) {
        panic!("no event is expected for {room}");
    }

    fn on_room_message(&self, room: &str, _: Bytes) {
        panic!("no event is expected for {room}");
    }

    fn on_room_published(&self, room: &RoomKey, _: Mid, _: Result<(), BrokerError>) {
        panic!("no event is expected for {room}");
    }

    fn on_room_gap(&self, room: &RoomKey) {
        panic!("no event is expected for {room}");
    }
}

/// The shard of node `n1`, connected and settled, and its surroundings.
pub(crate) struct Fixture {
    pub(crate) shard: Arc<Shard>,
    pub(crate) events: Events,
    queue: Receiver<Command>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let mut endpoints = RedisConfig::new("redis://127.0.0.1:1").endpoints().unwrap();
        let endpoint = endpoints.remove(0);
        let pool = pool::open(&endpoint).unwrap();
        let (sender, queue) = queue::bounded();
        let shared = Shared {
            run: NodeRun::begin(node("n1")),
            telemetry: Telemetry::new("n1"),
            unusable: tokio::sync::watch::Sender::new(None),
            end: CancellationToken::new(),
            tenant_rooms: Arc::default(),
            window_ms: Arc::default(),
            revocations_due: Arc::default(),
            detours: None,
        };
        let shard = Shard::new(endpoint, shared, sender, pool);
        shard.tables.lock().claims.next_epoch();
        shard.tables.lock().subscriptions.begin();
        shard.health.set_publisher(ConnectionState::Up);
        Self {
            shard: Arc::new(shard),
            events: Events::default(),
            queue,
        }
    }

    /// The commands queued since the last call.
    pub(crate) fn sent(&mut self) -> Vec<Command> {
        let mut sent = Vec::new();
        let _ = self.queue.receive(&mut sent, 1_000).now_or_never();
        sent
    }

    /// The messages to nodes among [`Fixture::sent`], and nothing else.
    pub(crate) fn sent_to_nodes(&mut self) -> Vec<(NodeId, NodeMessage)> {
        let messages = self.sent().into_iter().map(|command| {
            let Command::PublishToNode { node, message } = command else {
                panic!("{command:?}");
            };
            (node, NodeMessage::decode(&message).unwrap())
        });
        messages.collect()
    }
}

pub(crate) fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(crate) fn bob() -> PeerKey {
    PeerKey::parse("acme/bob").unwrap()
}

pub(crate) fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::BYTES])
}

pub(crate) fn token(number: u8) -> ResumeToken {
    ResumeToken::new(session(number), [number; ResumeToken::SECRET_BYTES])
}

pub(crate) fn mid() -> Mid {
    Mid {
        session: session(9),
        id: MessageId::Client(1),
    }
}

/// Bob's claim by the session of this number.
pub(crate) fn claim(number: u8) -> LocalClaim {
    LocalClaim {
        key: bob(),
        token: token(number),
        fence: 0,
    }
}

/// Bob's owner: this incarnation of `n2`.
pub(crate) fn owner(incarnation: &str) -> Owner {
    Owner {
        node: node("n2"),
        incarnation: incarnation.to_owned(),
        session: session(1).to_string(),
        is_attached: true,
        touches: None,
        fence: 0,
    }
}

/// A message for bob's offline queue.
pub(crate) fn message() -> StoredMessage {
    StoredMessage {
        mid: mid(),
        id: 1,
        from: PeerKey::parse("acme/alice").unwrap(),
        to: bob(),
        prev: None,
        is_urgent: false,
        window: std::time::Duration::from_secs(30),
        hold: None,
        is_first: false,
        envelope: b"hello".to_vec(),
    }
}
