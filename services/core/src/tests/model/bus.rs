//! The bus of the model: the reference records, one queue of commands per node as on its one connection to
//! Redis, one queue of what each node hears. The world decides what moves when, and what is lost.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{Mid, NodeId, PeerKey, SessionId};

use super::Mutant;
use crate::{
    Broker, BrokerError, BrokerEvents as _, BusState, BusStatus, Claim, ClaimOutcome, ClusterLoad, Records,
    Retention, Router, StoreOutcome, StoredMessage,
};

/// How long the lease of a crashed node goes on.
const LEASE: Duration = Duration::from_secs(10);

/// What a node asked of the bus and what has not been carried out.
enum Command {
    Publish(Mid, PeerKey, Vec<u8>),
    Leave(StoredMessage),
    ToNode(NodeId, Vec<u8>),
    Detach(PeerKey, SessionId, u64, Option<Retention>),
    Look(PeerKey, SessionId),
    MailDone(PeerKey, SessionId, usize, usize),
}

/// What a node is about to hear.
enum Heard {
    Message(PeerKey, Bytes),
    Inbox(Bytes),
}

/// What all nodes share.
pub(crate) struct Redis {
    pub(crate) records: Records,
    pub(crate) now: Instant,
    mutant: Option<Mutant>,
}

/// One node's place on the bus.
pub(crate) struct Link {
    node: NodeId,
    redis: Arc<Mutex<Redis>>,
    queue: Mutex<VecDeque<Command>>,
    /// Peers this node is subscribed to, and for which session.
    subscribed: Mutex<HashMap<PeerKey, SessionId>>,
    pub(crate) is_dead: AtomicBool,
}

/// A node of the model.
pub(crate) struct Node {
    pub(crate) router: Arc<Router>,
    pub(crate) link: Arc<Link>,
    hears: VecDeque<Heard>,
    pub(crate) is_frozen: bool,
    pub(crate) died_at: Option<Instant>,
}

impl Redis {
    pub(crate) fn new(mutant: Option<Mutant>) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            records: Records::default(),
            now: Instant::now(),
            mutant,
        }))
    }
}

impl Node {
    pub(crate) fn new(router: Arc<Router>, redis: &Arc<Mutex<Redis>>) -> Self {
        let link = Arc::new(Link {
            node: router.node().clone(),
            redis: Arc::clone(redis),
            queue: Mutex::default(),
            subscribed: Mutex::default(),
            is_dead: AtomicBool::new(false),
        });
        router.join(Arc::<Link>::clone(&link));
        Self {
            router,
            link,
            hears: VecDeque::new(),
            is_frozen: false,
            died_at: None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.is_frozen && self.died_at.is_none()
    }

    /// Hears the next thing, if there is one.
    pub(crate) fn hear(&mut self) -> bool {
        match self.hears.pop_front() {
            None => return false,
            Some(Heard::Message(to, bytes)) => self.router.on_message(to.as_str(), bytes),
            Some(Heard::Inbox(bytes)) => self.router.on_node_message(bytes),
        }
        true
    }

    /// Forgets what it was about to hear, as a node does that was frozen for longer than its lease.
    pub(crate) fn deafen(&mut self) {
        self.hears.clear();
    }
}

/// Carries the next command of node `at` out. `luck` in 0..100 decides what is lost and doubled.
pub(crate) fn carry_out(nodes: &mut [Node], at: usize, luck: u32) -> bool {
    let link = Arc::clone(&nodes[at].link);
    let Some(command) = link.queue.lock().pop_front() else {
        return false;
    };
    let now = link.redis.lock().now;
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
                        node.hears.push_back(Heard::Message(to.clone(), bytes.clone()));
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
        Command::Leave(letter) => {
            let mut redis = link.redis.lock();
            let holder = redis.records.holder(&letter.to, now);
            let is_dead = holder.as_ref().is_some_and(|holder| {
                let node = nodes.iter().find(|node| *node.router.node() == holder.node);
                node.and_then(|node| node.died_at)
                    .is_some_and(|died| now >= died + LEASE)
            });
            let left = redis.records.leave(&letter, is_dead, now);
            drop(redis);
            if letter.is_urgent && matches!(left, StoreOutcome::Queued(_)) {
                let hint = switchboard_protocol::NodeMessage::OfflineQueueHint {
                    key: letter.to.clone(),
                };
                let node = holder
                    .and_then(|holder| nodes.iter_mut().find(|node| *node.router.node() == holder.node));
                if let Some(node) = node {
                    node.hears.push_back(Heard::Inbox(hint.encode().into()));
                }
            }
            let outcome = if is_answered {
                Ok(left)
            } else {
                Err(BrokerError::Unavailable)
            };
            nodes[at].router.on_stored(letter.mid, &letter.to, outcome);
        }
        Command::ToNode(to, message) => {
            let node = nodes.iter_mut().find(|node| *node.router.node() == to);
            if let Some(node) = node.filter(|node| node.died_at.is_none() && luck >= 10) {
                node.hears.push_back(Heard::Inbox(message.into()));
            }
        }
        Command::Detach(key, session, fence, keep) => {
            let mut redis = link.redis.lock();
            redis.records.detach(&key, &link.node, session, fence, keep, now);
        }
        Command::Look(key, session) => {
            let letters = link.redis.lock().records.letters(&key, &link.node, session);
            if !letters.is_empty() {
                nodes[at].router.on_offline_queue(&key, session, letters);
            }
        }
        Command::MailDone(key, session, letters, bytes) => {
            let mut redis = link.redis.lock();
            redis
                .records
                .remove_stored(&key, &link.node, session, letters, bytes);
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

    /// Sessions of this node that the records give to somebody else.
    pub(crate) fn lost(&self) -> Vec<(PeerKey, SessionId)> {
        let mut redis = self.redis.lock();
        let now = redis.now;
        let subscribed = self.subscribed.lock();
        let held = subscribed.iter().filter(|(key, session)| {
            let holder = redis.records.holder(key, now);
            holder.is_none_or(|holder| holder.node != self.node || holder.session != **session)
        });
        held.map(|(key, session)| (key.clone(), *session)).collect()
    }
}

impl Broker for Link {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        let mut redis = self.redis.lock();
        let now = redis.now;
        let outcome = redis.records.claim(key, &self.node, &claim, now);
        if outcome.is_ok() {
            self.subscribed.lock().insert(key.clone(), claim.token.session);
        }
        Box::pin(std::future::ready(outcome))
    }

    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, keep: Option<Retention>) {
        let mut subscribed = self.subscribed.lock();
        if subscribed.get(key) == Some(&session) {
            subscribed.remove(key);
        }
        drop(subscribed);
        let mut keep = keep;
        if self.redis.lock().mutant == Some(Mutant::AcceptedIsDone) {
            let saved = keep.iter_mut().filter_map(|keep| keep.saved.as_mut());
            let tail = saved.flat_map(|saved| &mut saved.tail);
            tail.for_each(|unacked| unacked.seq = 0);
        }
        let _ = self.ask(Command::Detach(key.clone(), session, fence, keep));
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Command::Publish(mid, to.clone(), envelope))
    }

    fn locate(&self, _: Mid, _: &PeerKey) -> Result<(), BrokerError> {
        Ok(())
    }

    fn store(&self, letter: StoredMessage) -> Result<(), BrokerError> {
        self.ask(Command::Leave(letter))
    }

    fn read_offline_queue(&self, key: &PeerKey, session: SessionId) {
        let _ = self.ask(Command::Look(key.clone(), session));
    }

    fn remove_stored(&self, key: &PeerKey, session: SessionId, letters: usize, bytes: usize) {
        let _ = self.ask(Command::MailDone(key.clone(), session, letters, bytes));
    }

    fn touch(&self, _: &PeerKey, _: SessionId) {}

    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Command::ToNode(node.clone(), message))
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

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
