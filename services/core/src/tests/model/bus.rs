//! The bus of the model: the reference records, for each node one queue of commands and one of events, as
//! on its two connections to Redis. The world decides what moves when, and which messages are lost.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{Mid, NodeId, NodeMessage, PeerId, PeerKey, RoomId, RoomKey, SessionId};

use super::mutant::Mutant;
use crate::{
    Asker, Broker, BrokerError, BrokerEvents as _, BusState, BusStatus, Claim, ClaimOutcome, ClusterLoad,
    EndedSession, Records, Retention, RevocationChange, RoomJoin, RoomLeave, RoomPage, RoomQuery, Roster,
    Route, Router, StoreOutcome, StoredMessage, TenantUsage,
};

/// How long the lease of a crashed node lasts.
const LEASE: Duration = Duration::from_secs(10);

/// What a node asked of the bus and what has not been carried out.
enum Command {
    Publish(Mid, PeerKey, Vec<u8>),
    Store(StoredMessage),
    ToNode(NodeId, Vec<u8>),
    Detach(PeerKey, SessionId, u64, Option<Retention>),
    ReadOfflineQueue(PeerKey, SessionId),
    RemoveStored(PeerKey, SessionId, usize, usize),
}

/// What a node is about to hear.
enum BusEvent {
    Message(PeerKey, Bytes),
    NodeMessage(Bytes),
}

/// What all nodes share.
pub(super) struct Bus {
    pub(super) records: Records,
    pub(super) now: Instant,
    mutant: Option<Mutant>,
}

/// One node's place on the bus.
pub(super) struct Link {
    node: NodeId,
    bus: Arc<Mutex<Bus>>,
    queue: Mutex<VecDeque<Command>>,
    /// Peers this node is subscribed to, and for which session.
    subscribed: Mutex<HashMap<PeerKey, SessionId>>,
    is_dead: AtomicBool,
}

/// A node of the model.
pub(super) struct Node {
    pub(super) router: Arc<Router>,
    pub(super) link: Arc<Link>,
    hears: VecDeque<BusEvent>,
    pub(super) is_frozen: bool,
    pub(super) died_at: Option<Instant>,
}

impl Bus {
    pub(super) fn new(mutant: Option<Mutant>) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            records: Records::default(),
            now: Instant::now(),
            mutant,
        }))
    }
}

impl Node {
    pub(super) fn new(router: Arc<Router>, bus: &Arc<Mutex<Bus>>) -> Self {
        let link = Arc::new(Link {
            node: router.node().clone(),
            bus: Arc::clone(bus),
            queue: Mutex::default(),
            subscribed: Mutex::default(),
            is_dead: AtomicBool::new(false),
        });
        router.set_broker(Arc::<Link>::clone(&link));
        Self {
            router,
            link,
            hears: VecDeque::new(),
            is_frozen: false,
            died_at: None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !self.is_frozen && self.died_at.is_none()
    }

    /// Hears the next thing, if there is one.
    pub(super) fn hear(&mut self) -> bool {
        match self.hears.pop_front() {
            None => return false,
            Some(BusEvent::Message(to, bytes)) => self.router.on_message(to.as_str(), bytes),
            Some(BusEvent::NodeMessage(bytes)) => self.router.on_node_message(bytes),
        }
        true
    }

    /// Forgets what it was about to hear, as a node does that was frozen for longer than its lease.
    pub(super) fn deafen(&mut self) {
        self.hears.clear();
    }
}

/// Carries the next command of node `at` out. `luck` in 0..100 decides which messages are lost and doubled.
pub(super) fn carry_out(nodes: &mut [Node], at: usize, luck: u32) -> bool {
    let link = Arc::clone(&nodes[at].link);
    let Some(command) = link.queue.lock().pop_front() else {
        return false;
    };
    let now = link.bus.lock().now;
    let is_answered = luck >= 5;
    match command {
        Command::Publish(mid, to, envelope) => {
            let bytes = Bytes::from(envelope);
            let mut count = 0;
            for node in nodes.iter_mut().filter(|node| node.died_at.is_none()) {
                if node.link.subscribed.lock().contains_key(&to) {
                    count += 1;
                    let copies = match luck {
                        0..15 => 0,
                        15..20 => 2,
                        _ => 1,
                    };
                    for _ in 0..copies {
                        node.hears.push_back(BusEvent::Message(to.clone(), bytes.clone()));
                    }
                }
            }
            let outcome = if is_answered {
                Ok(count)
            } else {
                Err(BrokerError::Unavailable)
            };
            nodes[at].router.on_published(mid, &to, outcome);
        }
        Command::Store(message) => {
            let mut bus = link.bus.lock();
            let owner = bus.records.owner(&message.to, now);
            let is_dead = owner.as_ref().is_some_and(|owner| {
                let node = nodes.iter().find(|node| *node.router.node() == owner.node);
                node.and_then(|node| node.died_at)
                    .is_some_and(|died| now >= died + LEASE)
            });
            let stored = bus.records.store(&message, is_dead, now);
            drop(bus);
            if message.is_urgent && matches!(stored, StoreOutcome::Queued { .. }) {
                let hint = NodeMessage::OfflineQueueHint {
                    key: message.to.clone(),
                };
                let node =
                    owner.and_then(|owner| nodes.iter_mut().find(|node| *node.router.node() == owner.node));
                if let Some(node) = node {
                    node.hears.push_back(BusEvent::NodeMessage(hint.encode().into()));
                }
            }
            let outcome = if is_answered {
                Ok(stored)
            } else {
                Err(BrokerError::Unavailable)
            };
            nodes[at].router.on_stored(message.mid, &message.to, outcome);
        }
        Command::ToNode(to, message) => {
            let node = nodes.iter_mut().find(|node| *node.router.node() == to);
            if let Some(node) = node.filter(|node| node.died_at.is_none() && luck >= 10) {
                node.hears.push_back(BusEvent::NodeMessage(message.into()));
            }
        }
        Command::Detach(key, session, fence, retention) => {
            let mut bus = link.bus.lock();
            bus.records
                .detach(&key, &link.node, session, fence, retention, now);
        }
        Command::ReadOfflineQueue(key, session) => {
            let messages = link
                .bus
                .lock()
                .records
                .offline_queue(&key, &link.node, session, now);
            if !messages.is_empty() {
                nodes[at].router.on_offline_queue(&key, session, messages);
            }
        }
        Command::RemoveStored(key, session, messages, bytes) => {
            let mut bus = link.bus.lock();
            bus.records
                .remove_stored(&key, &link.node, session, messages, bytes);
        }
    }
    true
}

impl Link {
    fn ask(&self, command: Command) -> Result<(), BrokerError> {
        if !self.is_dead.load(Relaxed) {
            self.queue.lock().push_back(command);
        }
        Ok(())
    }

    /// Its node was killed: it asks nothing more.
    pub(super) fn die(&self) {
        self.is_dead.store(true, Relaxed);
    }

    /// Sessions of this node that have another owner by the records.
    pub(super) fn lost(&self) -> Vec<(PeerKey, SessionId)> {
        let mut bus = self.bus.lock();
        let now = bus.now;
        let subscribed = self.subscribed.lock();
        let lost = subscribed.iter().filter(|(key, session)| {
            let owner = bus.records.owner(key, now);
            owner.is_none_or(|owner| owner.node != self.node || owner.session != **session)
        });
        lost.map(|(key, session)| (key.clone(), *session)).collect()
    }
}

impl Broker for Link {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        let mut bus = self.bus.lock();
        let now = bus.now;
        let outcome = bus.records.claim(key, &self.node, &claim, now);
        if outcome.is_ok() {
            self.subscribed.lock().insert(key.clone(), claim.token.session);
        }
        Box::pin(std::future::ready(outcome))
    }

    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, retention: Option<Retention>) {
        let mut subscribed = self.subscribed.lock();
        if subscribed.get(key) == Some(&session) {
            subscribed.remove(key);
        }
        drop(subscribed);
        let mut retention = retention;
        if self.bus.lock().mutant == Some(Mutant::AcceptedIsDone) {
            let snapshot = retention
                .iter_mut()
                .filter_map(|retention| retention.snapshot.as_mut());
            let tail = snapshot.flat_map(|snapshot| &mut snapshot.tail);
            tail.for_each(|unacked| unacked.seq = 0);
        }
        let _ = self.ask(Command::Detach(key.clone(), session, fence, retention));
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Command::Publish(mid, to.clone(), envelope))
    }

    fn locate(&self, _: Asker, _: &PeerKey) -> Result<(), BrokerError> {
        Ok(())
    }

    fn watch(&self, _: &PeerKey) -> bool {
        true
    }

    fn unwatch(&self, _: &PeerKey) {}

    fn store(&self, message: StoredMessage) -> Result<(), BrokerError> {
        self.ask(Command::Store(message))
    }

    fn read_offline_queue(&self, key: &PeerKey, session: SessionId) {
        let _ = self.ask(Command::ReadOfflineQueue(key.clone(), session));
    }

    fn remove_stored(&self, key: &PeerKey, session: SessionId, messages: usize, bytes: usize) {
        let _ = self.ask(Command::RemoveStored(key.clone(), session, messages, bytes));
    }

    fn touch(&self, _: &PeerKey, _: SessionId) {}

    fn send_to_node(&self, node: &NodeId, _: Route, message: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Command::ToNode(node.clone(), message))
    }

    fn join_room(&self, _: RoomJoin) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }

    fn leave_room(&self, _: RoomLeave) {}

    fn detach_member(&self, _: &RoomKey, _: &PeerId, _: SessionId) {}

    fn publish_to_room(&self, _: &RoomKey, _: Mid, _: Vec<u8>) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }

    fn forget_room(&self, _: &RoomKey) {}

    fn roster<'a>(&'a self, _: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }

    fn has_member<'a>(&'a self, _: &'a RoomKey, _: &'a PeerId) -> BoxFuture<'a, Result<bool, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }

    fn rooms_of<'a>(&'a self, _: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }

    fn rooms(&self, _: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }

    fn cluster_load(&self, _: Option<usize>) -> Option<ClusterLoad> {
        None
    }

    fn status(&self) -> BusStatus {
        BusStatus {
            state: BusState::Up,
            desired: 0,
            confirmed: 0,
            detail: String::new(),
        }
    }

    fn tenant_usage(&self, _: TenantUsage) -> Option<TenantUsage> {
        None
    }

    fn end_session<'a>(&'a self, _: &'a PeerKey) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }

    fn revoke<'a>(&'a self, _: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
