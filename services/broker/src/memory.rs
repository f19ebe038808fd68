//! The bus of one process: for `switchboard dev`, for tests, and as the plainest reading of the contract.
//! Nothing is lost here but what does not fit a node's bounded queue of events.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::{
    Attached, Broker, BrokerError, BrokerEvents, BusState, BusStatus, Presence, PreviousOwner,
};
use switchboard_protocol::{Mid, NodeId, PeerKey, SessionId};
use switchboard_telemetry::{Queue, Telemetry};
use tokio_util::sync::CancellationToken;

use crate::queue::{Receiver, Sender, Weighed, bounded};

/// Events handed to a node before its task yields to others.
const EVENTS_PER_TURN: usize = 128;

/// The bus that brokers of one process share; clones are the same bus.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus(Arc<Mutex<Hub>>);

#[derive(Debug, Default)]
struct Hub {
    owners: HashMap<PeerKey, Owner>,
    nodes: HashMap<NodeId, Arc<Sender<Event>>>,
    last_fence: u64,
}

#[derive(Debug)]
struct Owner {
    node: NodeId,
    session: SessionId,
}

#[derive(Debug)]
enum Event {
    Heard(PeerKey, Bytes),
    Inbox(Bytes),
    Published(Mid, PeerKey, u64),
    Located(Mid, PeerKey, Presence),
}

impl Weighed for Event {
    fn bytes(&self) -> usize {
        match self {
            Self::Heard(_, bytes) | Self::Inbox(bytes) => bytes.len(),
            Self::Published(..) | Self::Located(..) => 0,
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
                Event::Heard(to, envelope) => events.heard(to.as_str(), envelope),
                Event::Inbox(message) => events.inbox(message),
                Event::Published(mid, to, heard_by) => events.published(mid, &to, Ok(heard_by)),
                Event::Located(mid, to, presence) => events.located(mid, &to, Ok(presence)),
            }
        }
        tokio::task::yield_now().await;
    }
}

impl Broker for MemoryBroker {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        session: SessionId,
    ) -> BoxFuture<'a, Result<Attached, BrokerError>> {
        Box::pin(async move {
            let mut hub = self.bus.0.lock();
            hub.last_fence += 1;
            let owner = Owner {
                node: self.node.clone(),
                session,
            };
            let previous = hub.owners.insert(key.clone(), owner);
            Ok(Attached {
                fence: hub.last_fence,
                confirmed: true,
                previous: previous
                    .filter(|owner| owner.session != session)
                    .map(|Owner { node, session }| PreviousOwner { node, session }),
            })
        })
    }

    fn detach(&self, key: &PeerKey, session: SessionId) {
        let mut hub = self.bus.0.lock();
        if hub
            .owners
            .get(key)
            .is_some_and(|owner| owner.session == session && owner.node == self.node)
        {
            hub.owners.remove(key);
        }
        if hub.owners.len() < hub.owners.capacity() / 4 {
            hub.owners.shrink_to_fit();
        }
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        let hub = self.bus.0.lock();
        let receiver = hub.owners.get(to).and_then(|owner| hub.nodes.get(&owner.node));
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
        let hub = self.bus.0.lock();
        let presence = hub
            .owners
            .get(to)
            .map_or(Presence::Offline, |owner| Presence::Attached {
                node: owner.node.clone(),
            });
        self.push(&self.own, Event::Located(mid, to.clone(), presence))
    }

    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError> {
        let hub = self.bus.0.lock();
        match hub.nodes.get(node) {
            Some(inbox) => self.push(inbox, Event::Inbox(message.into())),
            None => Ok(()),
        }
    }

    fn status(&self) -> BusStatus {
        let hub = self.bus.0.lock();
        let attached = hub
            .owners
            .values()
            .filter(|owner| owner.node == self.node)
            .count();
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
            hub.owners.retain(|_, owner| owner.node != self.node);
            hub.nodes.remove(&self.node);
            self.end.cancel();
        })
    }
}
