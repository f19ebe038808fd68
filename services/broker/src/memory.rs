//! The bus of one process: for `switchboard dev`, for tests, and as the plainest reading of the contract.
//! Nothing is lost here but what does not fit a node's bounded queue of events.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::{
    Broker, BrokerError, BrokerEvents, BusState, BusStatus, Claim, ClaimOutcome, ClusterLoad, Presence,
    Records, Retention, StoreOutcome, StoredMessage,
};
use switchboard_protocol::{Mid, NodeId, NodeMessage, PeerKey, SessionId};
use switchboard_telemetry::{Queue, Telemetry};
use tokio_util::sync::CancellationToken;

use crate::{
    asking::{self, Holder},
    queue::{Receiver, Sender, Weighed, bounded},
};

/// Events handed to a node before its task yields to others.
const EVENTS_PER_TURN: usize = 128;

/// The bus that brokers of one process share; clones are the same bus.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus(Arc<Mutex<Hub>>);

#[derive(Debug, Default)]
struct Hub {
    records: Records,
    nodes: HashMap<NodeId, Arc<Sender<Event>>>,
    /// Connections of the nodes that take clients.
    crowd: HashMap<NodeId, usize>,
}

#[derive(Debug)]
enum Event {
    Heard(PeerKey, Bytes),
    Inbox(Bytes),
    Published(Mid, PeerKey, u64),
    Located(Mid, PeerKey, Presence),
    StoreOutcome(Mid, PeerKey, StoreOutcome),
    OfflineQueue(PeerKey, SessionId, Vec<Bytes>),
}

impl Weighed for Event {
    fn bytes(&self) -> usize {
        match self {
            Self::Heard(_, bytes) | Self::Inbox(bytes) => bytes.len(),
            Self::OfflineQueue(_, _, letters) => letters.iter().map(Bytes::len).sum(),
            Self::Published(..) | Self::Located(..) | Self::StoreOutcome(..) => 0,
        }
    }
}

/// One node's place on a [`MemoryBus`].
pub struct MemoryBroker {
    bus: MemoryBus,
    node: NodeId,
    own: Arc<Sender<Event>>,
    telemetry: Telemetry,
    end: CancellationToken,
}

impl MemoryBroker {
    /// Joins `node` to `bus`. Must be called within a tokio runtime: a task hands the events over, so that
    /// no event is ever told from within `publish`, whose caller may hold locks.
    #[must_use]
    pub fn join(
        bus: &MemoryBus,
        node: NodeId,
        events: Arc<dyn BrokerEvents>,
        telemetry: Telemetry,
    ) -> Arc<Self> {
        let (sender, receiver) = bounded();
        let own = Arc::new(sender);
        let end = CancellationToken::new();
        bus.0.lock().nodes.insert(node.clone(), Arc::clone(&own));
        tokio::spawn(tell(receiver, events, end.clone()));
        Arc::new(Self {
            bus: bus.clone(),
            node,
            own,
            telemetry,
            end,
        })
    }

    fn holder(&self, key: &PeerKey) -> Option<Holder> {
        let holder = self.bus.0.lock().records.owner(key, Instant::now())?;
        Some(Holder {
            is_here: holder.node == self.node,
            node: holder.node,
            session: Some(holder.session),
            is_attached: holder.is_attached,
            alive: Some(holder.alive.to_string()),
        })
    }

    fn question(&self, key: &PeerKey, claim: &Claim, holder: Holder) {
        let question = holder
            .session
            .and_then(|session| claim.on_conflict.question(key, session));
        if let Some(question) = question {
            // What does not fit is not answered, and the claim goes on without an answer.
            let _ = self.send_to_node(&holder.node, question.encode());
        }
    }

    fn hint(&self, hub: &mut Hub, to: &PeerKey) {
        let holder = hub.records.owner(to, Instant::now());
        if let Some(inbox) = holder.and_then(|holder| hub.nodes.get(&holder.node)) {
            let message = NodeMessage::OfflineQueueHint { key: to.clone() }.encode();
            // What does not fit is found at the next claim.
            let _ = self.push(inbox, Event::Inbox(message.into()));
        }
    }

    fn push(&self, queue: &Sender<Event>, event: Event) -> Result<(), BrokerError> {
        queue.push(event).inspect_err(|error| {
            if *error == BrokerError::QueueFull {
                self.telemetry.queue_overflow(Queue::Publisher);
            }
        })
    }
}

async fn tell(mut queue: Receiver<Event>, events: Arc<dyn BrokerEvents>, end: CancellationToken) {
    let mut turn = Vec::with_capacity(EVENTS_PER_TURN);
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            received = queue.receive(&mut turn, EVENTS_PER_TURN) => if received == 0 { return },
        }
        for event in turn.drain(..) {
            match event {
                Event::Heard(to, envelope) => events.on_message(to.as_str(), envelope),
                Event::Inbox(message) => events.on_node_message(message),
                Event::Published(mid, to, heard_by) => events.on_published(mid, &to, Ok(heard_by)),
                Event::Located(mid, to, presence) => events.on_located(mid, &to, Ok(presence)),
                Event::StoreOutcome(mid, to, left) => events.on_stored(mid, &to, Ok(left)),
                Event::OfflineQueue(to, session, letters) => events.on_offline_queue(&to, session, letters),
            }
        }
        tokio::task::yield_now().await;
    }
}

impl Broker for MemoryBroker {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        Box::pin(async move {
            let look = || std::future::ready(Ok(self.holder(key))).boxed();
            asking::ask(&claim, look, |holder| self.question(key, &claim, holder)).await?;
            let mut hub = self.bus.0.lock();
            hub.records.claim(key, &self.node, &claim, Instant::now())
        })
    }

    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, keep: Option<Retention>) {
        let mut hub = self.bus.0.lock();
        hub.records
            .detach(key, &self.node, session, fence, keep, Instant::now());
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        let mut hub = self.bus.0.lock();
        let holder = hub.records.owner(to, Instant::now());
        let holder = holder.filter(|holder| holder.is_attached);
        let receiver = holder.and_then(|holder| hub.nodes.get(&holder.node));
        // The report first: once it is certain to come, the message may go.
        self.push(
            &self.own,
            Event::Published(mid, to.clone(), u64::from(receiver.is_some())),
        )?;
        if let Some(receiver) = receiver {
            // What does not fit is lost like on any bus; the sender's node repeats it.
            let _ = self.push(receiver, Event::Heard(to.clone(), envelope.into()));
        }
        Ok(())
    }

    fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError> {
        let mut hub = self.bus.0.lock();
        let presence = match hub.records.owner(to, Instant::now()) {
            None => Presence::Offline,
            Some(holder) if holder.is_attached => Presence::Attached { node: holder.node },
            Some(_) => Presence::Detached,
        };
        self.push(&self.own, Event::Located(mid, to.clone(), presence))
    }

    fn store(&self, letter: StoredMessage) -> Result<(), BrokerError> {
        let mut hub = self.bus.0.lock();
        // Nodes of one process do not die one by one.
        let left = hub.records.store(&letter, false, Instant::now());
        self.push(
            &self.own,
            Event::StoreOutcome(letter.mid, letter.to.clone(), left),
        )?;
        if letter.is_urgent && matches!(left, StoreOutcome::Queued(_)) {
            self.hint(&mut hub, &letter.to);
        }
        Ok(())
    }

    fn read_offline_queue(&self, key: &PeerKey, session: SessionId) {
        let letters = self.bus.0.lock().records.offline_queue(key, &self.node, session);
        if !letters.is_empty() {
            // What does not fit is found at the next claim.
            let _ = self.push(&self.own, Event::OfflineQueue(key.clone(), session, letters));
        }
    }

    fn remove_stored(&self, key: &PeerKey, session: SessionId, letters: usize, bytes: usize) {
        let mut hub = self.bus.0.lock();
        hub.records
            .remove_stored(key, &self.node, session, letters, bytes);
    }

    fn touch(&self, key: &PeerKey, session: SessionId) {
        self.bus.0.lock().records.touch(key, &self.node, session);
    }

    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError> {
        let hub = self.bus.0.lock();
        match hub.nodes.get(node) {
            Some(inbox) => self.push(inbox, Event::Inbox(message.into())),
            None => Ok(()),
        }
    }

    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        let mut hub = self.bus.0.lock();
        hub.crowd.remove(&self.node);
        let own = own?;
        let others = hub.crowd.values().copied().collect();
        hub.crowd.insert(self.node.clone(), own);
        Some(ClusterLoad { own, others })
    }

    fn status(&self) -> BusStatus {
        let hub = self.bus.0.lock();
        let attached = hub.records.attached_to(&self.node);
        BusStatus {
            state: BusState::Up,
            desired: attached,
            confirmed: attached,
            detail: String::new(),
        }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut hub = self.bus.0.lock();
            hub.records.orphan(&self.node, Instant::now());
            hub.nodes.remove(&self.node);
            hub.crowd.remove(&self.node);
            self.end.cancel();
        })
    }
}
