//! What the broker's tests share: a node that records what it is told, and waiting with a deadline. Not the
//! Redis they run against (`redis_server`).

#![allow(dead_code, unused_macros, reason = "each test binary uses its own part")]

pub(crate) mod proxy;
pub(crate) mod redis_server;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_broker::{MemoryBroker, MemoryBus, RedisBroker, RedisConfig};
use switchboard_core::{
    Broker, BrokerError, BrokerEvents, BusState, Claim, ConflictPolicy, Presence, StoreOutcome,
};
use switchboard_protocol::{MessageId, Mid, NodeId, NodeMessage, PeerKey, ResumeToken, SessionId};
use switchboard_telemetry::Telemetry;

use redis_server::RedisServer;

/// Makes of each function two tests: on the memory bus and on a real Redis.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Cluster::memory()).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                if let Some(cluster) = super::Cluster::redis().await {
                    super::$name(cluster).await;
                }
            })*
        }
    };
}

/// Far longer than anything here takes; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a node was told.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) heard: Mutex<Vec<(String, Bytes)>>,
    pub(crate) inbox: Mutex<Vec<Bytes>>,
    pub(crate) published: Mutex<Vec<(Mid, Result<u64, BrokerError>)>>,
    pub(crate) located: Mutex<Vec<(Mid, Result<Presence, BrokerError>)>>,
    pub(crate) left: Mutex<Vec<(Mid, Result<StoreOutcome, BrokerError>)>>,
    pub(crate) mail: Mutex<Vec<Vec<Bytes>>>,
}

impl BrokerEvents for Seen {
    fn on_message(&self, to: &str, envelope: Bytes) {
        self.heard.lock().push((to.to_owned(), envelope));
    }

    fn on_node_message(&self, message: Bytes) {
        self.inbox.lock().push(message);
    }

    fn on_published(&self, mid: Mid, _: &PeerKey, outcome: Result<u64, BrokerError>) {
        self.published.lock().push((mid, outcome));
    }

    fn on_located(&self, mid: Mid, _: &PeerKey, outcome: Result<Presence, BrokerError>) {
        self.located.lock().push((mid, outcome));
    }

    fn on_stored(&self, mid: Mid, _: &PeerKey, outcome: Result<StoreOutcome, BrokerError>) {
        self.left.lock().push((mid, outcome));
    }

    fn on_offline_queue(&self, _: &PeerKey, _: SessionId, letters: Vec<Bytes>) {
        self.mail.lock().push(letters);
    }
}

/// A node as far as the broker is concerned.
pub(crate) struct Node {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) id: NodeId,
}

/// A bus that nodes can join.
pub(crate) enum Cluster {
    Memory(MemoryBus),
    Redis(RedisServer),
}

impl Cluster {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryBus::default())
    }

    /// `None` where there is no redis-server, which CI does not accept.
    pub(crate) async fn redis() -> Option<Self> {
        Some(Self::Redis(RedisServer::start().await?))
    }

    pub(crate) async fn node(&self, name: &str) -> Node {
        match self {
            Self::Memory(bus) => {
                let (id, seen) = (NodeId::new(name).unwrap(), Arc::new(Seen::default()));
                let broker = MemoryBroker::join(bus, id.clone(), seen.clone(), Telemetry::new(name));
                Node { broker, seen, id }
            }
            Self::Redis(redis) => {
                let node = redis_node(name, &redis.url());
                node.is_up().await;
                node
            }
        }
    }
}

/// A node on the Redis at `url`, which need not be there.
pub(crate) fn redis_node(name: &str, url: &str) -> Node {
    let (id, seen) = (NodeId::new(name).unwrap(), Arc::new(Seen::default()));
    let config = RedisConfig::new(url);
    let broker = RedisBroker::start(&config, id.clone(), seen.clone(), Telemetry::new(name)).unwrap();
    Node { broker, seen, id }
}

impl Node {
    pub(crate) async fn is_up(&self) {
        until("the bus is up", PATIENCE, || {
            self.broker.status().state == BusState::Up
        })
        .await;
    }

    pub(crate) async fn attach(&self, peer: &str, session: u8) -> switchboard_core::ClaimOutcome {
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
        self.broker.locate(mid, &key(peer))?;
        answer(&self.seen.located, mid).await
    }

    pub(crate) fn heard(&self, envelope: &[u8]) -> usize {
        let heard = self.seen.heard.lock();
        heard.iter().filter(|(_, bytes)| bytes == envelope).count()
    }

    pub(crate) fn takeovers(&self) -> Vec<(PeerKey, SessionId)> {
        let inbox = self.seen.inbox.lock();
        let messages = inbox
            .iter()
            .filter_map(|message| NodeMessage::decode(message).ok());
        messages
            .filter_map(|message| match message {
                NodeMessage::Takeover { key, session, .. } => Some((key, session)),
                NodeMessage::Acks(_)
                | NodeMessage::DetachRequest { .. }
                | NodeMessage::Probe { .. }
                | NodeMessage::OfflineQueueHint { .. } => None,
            })
            .collect()
    }
}

async fn answer<T: Clone>(answers: &Mutex<Vec<(Mid, T)>>, mid: Mid) -> T {
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
        if_held: ConflictPolicy::TakeOver,
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

/// Waits for a condition; fails with its name when `limit` has passed. Returns how long it took.
pub(crate) async fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}
