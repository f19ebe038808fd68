//! What the broker's tests share: a node that records its events, and waiting with a deadline. The Redis they run against
//! is in `redis`.

#![allow(dead_code, unused_macros, reason = "each test binary uses its own part")]

pub(crate) mod acl;
pub(crate) mod cluster;
pub(crate) mod everything;
#[macro_use]
pub(crate) mod redis;
pub(crate) mod rooms;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_broker::{MemoryBroker, MemoryBus, RedisBroker, RedisConfig};
use switchboard_core::{
    AcceptedRanges, Asker, Broker, BrokerError, BrokerEvents, BusState, CallRecords, Claim, ClaimOutcome,
    ConflictPolicy, EventStreams, JoinError, Located, Presence, Retention, RoomDelta, RoomJoined, RoomLeft,
    SessionSnapshot, StoreOutcome, StoredMessage,
};
pub(crate) use switchboard_harness::PATIENCE;
use switchboard_harness::wait_until;
use switchboard_protocol::{
    MessageId, Mid, NodeId, NodeMessage, PeerId, PeerKey, PresenceState, ResumeToken, Revocation, RoomKey,
    SessionId,
};
use switchboard_telemetry::Telemetry;

use self::redis::RedisBus;

/// Makes of each function one test per bus: the memory bus, and every topology of Redis. One line each.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        contract_on!(memory, Cluster::memory(), $($name),*);
        contract_on!(redis, Cluster::redis("standalone").await, $($name),*);
        contract_on!(sentinel, Cluster::redis("sentinel").await, $($name),*);
        contract_on!(cluster, Cluster::redis("cluster:3+3").await, $($name),*);
        contract_on!(sharded, Cluster::redis("sharded:3").await, $($name),*);
    };
}

/// Makes of each function one test per later release of Redis and Valkey, alone and as a Redis Cluster.
macro_rules! contract_on_releases {
    ($($name:ident),* $(,)?) => {
        contract_on!(redis_8_2, Cluster::release("redis-8.2", "standalone").await, $($name),*);
        contract_on!(redis_8_2_cluster, Cluster::release("redis-8.2", "cluster:3+3").await, $($name),*);
        contract_on!(valkey_8_1, Cluster::release("valkey-8.1", "standalone").await, $($name),*);
        contract_on!(valkey_8_1_cluster, Cluster::release("valkey-8.1", "cluster:3+3").await, $($name),*);
        contract_on!(valkey_9_1, Cluster::release("valkey-9.1", "standalone").await, $($name),*);
        contract_on!(valkey_9_1_cluster, Cluster::release("valkey-9.1", "cluster:3+3").await, $($name),*);
    };
}

/// The tests on one bus, in a module of its name.
macro_rules! contract_on {
    ($bus:ident, $cluster:expr, $($name:ident),*) => {
        mod $bus {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                if let Some(cluster) = $cluster {
                    super::$name(cluster).await;
                }
            })*
        }
    };
}

/// The room, who asked, and what followed.
type JoinAnswer = (RoomKey, PeerId, SessionId, Result<RoomJoined, JoinError>);

/// The events that a node received.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) messages: Mutex<Vec<(String, Bytes)>>,
    pub(crate) node_messages: Mutex<Vec<Bytes>>,
    pub(crate) published: Mutex<Vec<(Mid, Result<u64, BrokerError>)>>,
    pub(crate) located: Mutex<Vec<(Mid, Result<Located, BrokerError>)>>,
    /// The peers whose changes are received.
    pub(crate) watching: Mutex<Vec<String>>,
    pub(crate) changes: Mutex<Vec<(String, u64, PresenceState)>>,
    pub(crate) ended: Mutex<Vec<(PeerKey, SessionId)>>,
    pub(crate) stored: Mutex<Vec<(Mid, Result<StoreOutcome, BrokerError>)>>,
    pub(crate) offline_queues: Mutex<Vec<Vec<Bytes>>>,
    pub(crate) revocations: Mutex<Vec<Revocation>>,
    pub(crate) revocations_read: Mutex<usize>,
    pub(crate) room_joined: Mutex<Vec<JoinAnswer>>,
    pub(crate) room_left: Mutex<Vec<(RoomKey, RoomLeft)>>,
    pub(crate) room_deltas: Mutex<Vec<(RoomKey, RoomDelta)>>,
    pub(crate) room_messages: Mutex<Vec<(String, Bytes)>>,
    pub(crate) room_published: Mutex<Vec<(Mid, Result<(), BrokerError>)>>,
    pub(crate) room_gaps: Mutex<Vec<RoomKey>>,
}

impl BrokerEvents for Seen {
    fn on_message(&self, to: &str, envelope: Bytes) {
        self.messages.lock().push((to.to_owned(), envelope));
    }

    fn on_node_message(&self, message: Bytes) {
        self.node_messages.lock().push(message);
    }

    fn on_published(&self, mid: Mid, _: &PeerKey, outcome: Result<u64, BrokerError>) {
        self.published.lock().push((mid, outcome));
    }

    fn on_revoked(&self, revocations: Vec<Revocation>, _: u64) {
        self.revocations.lock().extend(revocations);
    }

    fn on_revocations_read(&self, stored: Vec<Revocation>, _: u64) -> Vec<Revocation> {
        *self.revocations_read.lock() += 1;
        let mut known = self.revocations.lock();
        let lacking = known
            .iter()
            .filter(|own| !stored.contains(own))
            .cloned()
            .collect();
        for revocation in stored {
            if !known.contains(&revocation) {
                known.push(revocation);
            }
        }
        lacking
    }

    fn on_located(&self, asker: Asker, _: &PeerKey, outcome: Result<Located, BrokerError>) {
        if let Asker::Send(mid) = asker {
            self.located.lock().push((mid, outcome));
        }
    }

    fn on_watching(&self, peer: &str) {
        self.watching.lock().push(peer.to_owned());
    }

    fn on_presence(&self, peer: &str, fence: u64, state: PresenceState) {
        self.changes.lock().push((peer.to_owned(), fence, state));
    }

    fn on_session_ended(&self, peer: &PeerKey, session: SessionId) {
        self.ended.lock().push((peer.clone(), session));
    }

    fn on_stored(&self, mid: Mid, _: &PeerKey, outcome: Result<StoreOutcome, BrokerError>) {
        self.stored.lock().push((mid, outcome));
    }

    fn on_offline_queue(&self, _: &PeerKey, _: SessionId, messages: Vec<Bytes>) {
        self.offline_queues.lock().push(messages);
    }

    fn on_room_joined(
        &self,
        room: &RoomKey,
        peer: &PeerId,
        session: SessionId,
        outcome: Result<RoomJoined, JoinError>,
    ) {
        let joined = (room.clone(), peer.clone(), session, outcome);
        self.room_joined.lock().push(joined);
    }

    fn on_room_left(&self, room: &RoomKey, left: RoomLeft) {
        self.room_left.lock().push((room.clone(), left));
    }

    fn on_room_delta(&self, room: &RoomKey, delta: RoomDelta) {
        self.room_deltas.lock().push((room.clone(), delta));
    }

    fn on_room_message(&self, room: &str, envelope: Bytes) {
        self.room_messages.lock().push((room.to_owned(), envelope));
    }

    fn on_room_published(&self, _: &RoomKey, mid: Mid, outcome: Result<(), BrokerError>) {
        self.room_published.lock().push((mid, outcome));
    }

    fn on_room_gap(&self, room: &RoomKey) {
        self.room_gaps.lock().push(room.clone());
    }
}

/// A node as far as the broker is concerned.
pub(crate) struct Node {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) id: NodeId,
    pub(crate) streams: Arc<dyn EventStreams>,
    pub(crate) calls: Arc<dyn CallRecords>,
    pub(crate) telemetry: Telemetry,
}

/// A bus that nodes can join.
pub(crate) enum Cluster {
    Memory(MemoryBus),
    Redis(RedisBus),
}

impl Cluster {
    #[allow(clippy::unnecessary_wraps, reason = "as the other buses")]
    pub(crate) fn memory() -> Option<Self> {
        Some(Self::Memory(MemoryBus::default()))
    }

    /// `None` where there is no redis-server, which CI does not accept.
    pub(crate) async fn redis(layout: &str) -> Option<Self> {
        Some(Self::Redis(RedisBus::start(layout).await?))
    }

    /// As [`Cluster::redis`], on servers of this release.
    pub(crate) async fn release(release: &str, layout: &str) -> Option<Self> {
        Some(Self::Redis(RedisBus::of_release(release, layout).await?))
    }

    pub(crate) async fn node(&self, name: &str) -> Node {
        match self {
            Self::Memory(bus) => {
                let (id, seen) = (NodeId::new(name).unwrap(), Arc::new(Seen::default()));
                let telemetry = Telemetry::new(name);
                let broker = MemoryBroker::join(bus, id.clone(), seen.clone(), telemetry.clone());
                let streams = broker.event_streams();
                let calls = broker.call_records();
                Node {
                    broker,
                    seen,
                    id,
                    streams,
                    calls,
                    telemetry,
                }
            }
            Self::Redis(bus) => bus.node(name).await,
        }
    }
}

/// A node on the Redis at `url`, which need not be there.
pub(crate) fn redis_node(name: &str, url: &str) -> Node {
    configured_node(name, &RedisConfig::new(url))
}

pub(crate) fn configured_node(name: &str, config: &RedisConfig) -> Node {
    let (id, seen) = (NodeId::new(name).unwrap(), Arc::new(Seen::default()));
    let telemetry = Telemetry::new(name);
    let broker = RedisBroker::start(config, id.clone(), seen.clone(), telemetry.clone()).unwrap();
    let streams = broker.event_streams().unwrap();
    let calls = broker.call_records().unwrap();
    Node {
        broker,
        seen,
        id,
        streams,
        calls,
        telemetry,
    }
}

impl Node {
    pub(crate) async fn is_up(&self) {
        until("the bus is up", PATIENCE, || {
            self.broker.status().state == BusState::Up
        })
        .await;
    }

    pub(crate) async fn attach(&self, peer: &str, session: u8) -> ClaimOutcome {
        self.broker.attach(&key(peer), claim(session)).await.unwrap()
    }

    /// Publishes and waits for the report.
    pub(crate) async fn publish(&self, to: &str, envelope: &[u8]) -> Result<u64, BrokerError> {
        let mid = next_mid();
        self.broker.publish(mid, &key(to), envelope.to_vec())?;
        answer(&self.seen.published, mid).await
    }

    /// Locates and waits for the answer.
    pub(crate) async fn locate(&self, peer: &str) -> Result<Presence, BrokerError> {
        let mid = next_mid();
        self.broker.locate(Asker::Send(mid), &key(peer))?;
        answer(&self.seen.located, mid)
            .await
            .map(|located| located.presence)
    }

    pub(crate) fn received(&self, envelope: &[u8]) -> usize {
        let messages = self.seen.messages.lock();
        messages.iter().filter(|(_, bytes)| bytes == envelope).count()
    }

    pub(crate) fn takeovers(&self) -> Vec<(PeerKey, SessionId)> {
        let received = self.seen.node_messages.lock();
        let messages = received
            .iter()
            .filter_map(|message| NodeMessage::decode(message).ok());
        messages
            .filter_map(|message| match message {
                NodeMessage::Takeover { key, session, .. } => Some((key, session)),
                NodeMessage::Acks(_)
                | NodeMessage::DetachRequest { .. }
                | NodeMessage::Probe { .. }
                | NodeMessage::Kick { .. }
                | NodeMessage::OfflineQueueHint { .. }
                | NodeMessage::Relay(_)
                | NodeMessage::RelayAnswer { .. } => None,
            })
            .collect()
    }
}

pub(crate) async fn answer<T: Clone>(answers: &Mutex<Vec<(Mid, T)>>, mid: Mid) -> T {
    let find = || {
        let answers = answers.lock();
        answers
            .iter()
            .find(|(of, _)| *of == mid)
            .map(|(_, answer)| answer.clone())
    };
    until("an answer came", PATIENCE, || find().is_some()).await;
    find().unwrap()
}

/// Waits until `node` finds the peer like this.
pub(crate) async fn until_presence(node: &Node, peer: &str, wanted: &Presence) {
    let what = format!("{peer} is {wanted:?}");
    let found = async || (node.locate(peer).await.as_ref() == Ok(wanted)).then_some(());
    wait_until(&what, PATIENCE, found).await.unwrap();
}

/// Attaches `p0`, `p1` and so on.
pub(crate) async fn attach_many(node: &Node, peers: usize) {
    for chunk in (0..peers).collect::<Vec<_>>().chunks(1_000) {
        let keys: Vec<_> = chunk.iter().map(|peer| key(&format!("p{peer}"))).collect();
        let attaches = keys.iter().map(|key| node.broker.attach(key, claim(1)));
        for attached in futures_util::future::join_all(attaches).await {
            assert!(attached.unwrap().confirmed);
        }
    }
}

pub(crate) fn key(peer: &str) -> PeerKey {
    PeerKey::parse(&format!("acme/{peer}")).unwrap()
}

/// How long detached sessions are kept here.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);

/// A claim of a fresh session that takes the peer at once.
pub(crate) fn claim(number: u8) -> Claim {
    Claim {
        token: token(number),
        resume: false,
        on_conflict: ConflictPolicy::TakeOver,
        window: WINDOW,
    }
}

pub(crate) fn token(number: u8) -> ResumeToken {
    ResumeToken::new(session_id(number), [number; ResumeToken::SECRET_BYTES])
}

pub(crate) fn session_id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::BYTES])
}

pub(crate) fn next_mid() -> Mid {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    Mid {
        session: session_id(9),
        id: MessageId::Client(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
    }
}

/// A message for `to` that waits for it; tests change what they are about.
pub(crate) fn stored(to: &str, mid: Mid) -> StoredMessage {
    let (MessageId::Client(id) | MessageId::Node(id)) = mid.id;
    StoredMessage {
        mid,
        id,
        from: key("ann"),
        to: key(to),
        prev: None,
        is_urgent: false,
        window: WINDOW,
        hold: None,
        is_first: true,
        envelope: b"later".to_vec(),
    }
}

/// Waits for a condition; fails with its name when `limit` has passed. Returns how long it took.
pub(crate) async fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let holds = async || condition().then_some(());
    let ((), took) = wait_until(what, limit, holds).await.unwrap();
    took
}

/// Keeps a session with this snapshot for a resume.
pub(crate) fn keep(saved: SessionSnapshot) -> Option<Retention> {
    Some(Retention {
        snapshot: Some(saved),
        window: WINDOW,
    })
}

/// A claim that resumes a session once its owner has detached it, or after `within`.
pub(crate) fn resume(token: ResumeToken, within: Duration) -> Claim {
    Claim {
        token,
        resume: true,
        on_conflict: ConflictPolicy::DetachThenTakeOver(within),
        window: WINDOW,
    }
}

/// Resumes bob's session at once.
pub(crate) async fn try_resume(node: &Node, token: ResumeToken) -> Result<ClaimOutcome, BrokerError> {
    node.broker
        .attach(&key("bob"), resume(token, Duration::ZERO))
        .await
}

/// Bob's first session, attached and detached again with this snapshot.
pub(crate) async fn detached(node: &Node, saved: SessionSnapshot) {
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, keep(saved));
    // Commands of one node are carried out in order.
    assert_eq!(node.locate("bob").await, Ok(Presence::Detached));
}

/// A snapshot with these ids of the sender 7.
pub(crate) fn ranges(done: u64, ranges: &[(u64, u64)]) -> SessionSnapshot {
    let accepted = AcceptedRanges {
        done,
        ranges: ranges.to_vec(),
    };
    SessionSnapshot {
        accepted: vec![(session_id(7), accepted)],
        ..SessionSnapshot::default()
    }
}
