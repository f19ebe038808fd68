//! The bus itself: the shared records and the queue of events of each node. Events are lost only if they do not fit
//! a node's bounded queue.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use switchboard_core::{
    Asker, BrokerError, BrokerEvents, JoinError, Located, Records, RoomDelta, RoomJoined, RoomLeft,
    RoomRecords, StoreOutcome, TenantUsage,
};
use switchboard_protocol::{Mid, NodeId, PeerId, PeerKey, PresenceState, Revocation, RoomKey, SessionId};
use switchboard_telemetry::{Queue, Telemetry};
use tokio_util::sync::CancellationToken;

use super::{call_records::MemoryCallRecords, event_streams::SharedStreams};
use crate::queue::{Receiver, Sender, Weighed};

/// Events handed to a node before its task yields to others.
const EVENTS_PER_TURN: usize = 128;

/// The bus that brokers of one process share; clones are the same bus.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus {
    hub: Arc<Mutex<Hub>>,
    event_streams: SharedStreams,
    call_records: Arc<MemoryCallRecords>,
}

/// The state that all nodes share.
#[derive(Debug, Default)]
pub(super) struct Hub {
    pub(super) records: Records,
    pub(super) rooms: RoomRecords,
    /// The nodes that hear each room.
    pub(super) listeners: HashMap<RoomKey, Vec<NodeId>>,
    pub(super) nodes: HashMap<NodeId, Arc<Sender<Event>>>,
    /// Revocations by their texts; bounded by those who revoke.
    pub(super) revocations: HashMap<String, Revocation>,
    /// What tenants have on each node.
    pub(super) usage: HashMap<NodeId, TenantUsage>,
    /// Connections of the nodes that take clients.
    pub(super) load: HashMap<NodeId, usize>,
    /// The nodes that watch a peer.
    pub(super) watchers: HashMap<PeerKey, HashSet<NodeId>>,
}

/// One node's place on the bus.
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) own: Arc<Sender<Event>>,
    pub(super) telemetry: Telemetry,
}

impl Place {
    /// Queues an event for this node.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`] if it does not fit.
    pub(super) fn report(&self, event: Event) -> Result<(), BrokerError> {
        self.push(&self.own, event)
    }

    /// The same for the node with this queue.
    pub(super) fn push(&self, queue: &Sender<Event>, event: Event) -> Result<(), BrokerError> {
        queue.push(event).map_err(|(error, _)| {
            if error == BrokerError::QueueFull {
                self.telemetry.queue_overflow(Queue::Publisher);
            }
            error
        })
    }
}

/// An event on its way to a node.
#[derive(Debug)]
pub(super) enum Event {
    Message(PeerKey, Bytes),
    NodeMessage(Bytes),
    Revoked(Revocation),
    Published(Mid, PeerKey, u64),
    Located(Asker, PeerKey, Located),
    Presence(PeerKey, u64, PresenceState),
    SessionEnded(PeerKey, SessionId),
    Stored(Mid, PeerKey, StoreOutcome),
    OfflineQueue(PeerKey, SessionId, Vec<Bytes>),
    RoomJoined(RoomKey, PeerId, SessionId, Result<RoomJoined, JoinError>),
    RoomLeft(RoomKey, RoomLeft),
    RoomDelta(RoomKey, RoomDelta),
    RoomMessage(RoomKey, Bytes),
    RoomPublished(RoomKey, Mid),
}

impl MemoryBus {
    /// The shared state, locked.
    pub(super) fn hub(&self) -> parking_lot::MutexGuard<'_, Hub> {
        self.hub.lock()
    }

    pub(super) fn call_records(&self) -> Arc<MemoryCallRecords> {
        Arc::clone(&self.call_records)
    }

    pub(super) fn event_streams(&self) -> SharedStreams {
        Arc::clone(&self.event_streams)
    }
}

impl Weighed for Event {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(_, bytes) | Self::NodeMessage(bytes) | Self::RoomMessage(_, bytes) => bytes.len(),
            Self::OfflineQueue(_, _, messages) => messages.iter().map(Bytes::len).sum(),
            Self::Revoked(_)
            | Self::Published(..)
            | Self::Located(..)
            | Self::Presence(..)
            | Self::SessionEnded(..)
            | Self::Stored(..)
            | Self::RoomJoined(..)
            | Self::RoomLeft(..)
            | Self::RoomDelta(..)
            | Self::RoomPublished(..) => 0,
        }
    }
}

/// Seconds since the Unix epoch.
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Hands a node its events until `end`, from a task of its own: the caller of `publish` may hold locks.
pub(super) async fn deliver(
    mut queue: Receiver<Event>,
    events: Arc<dyn BrokerEvents>,
    end: CancellationToken,
) {
    let mut turn = Vec::with_capacity(EVENTS_PER_TURN);
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            received = queue.receive(&mut turn, EVENTS_PER_TURN) => if received == 0 { return },
        }
        for event in turn.drain(..) {
            match event {
                Event::Message(to, envelope) => events.on_message(to.as_str(), envelope),
                Event::NodeMessage(message) => events.on_node_message(message),
                Event::Revoked(revocation) => events.on_revoked(vec![revocation], now_s()),
                Event::Published(mid, to, receivers) => events.on_published(mid, &to, Ok(receivers)),
                Event::Located(asker, to, located) => events.on_located(asker, &to, Ok(located)),
                Event::Presence(peer, fence, state) => events.on_presence(peer.as_str(), fence, state),
                Event::SessionEnded(peer, session) => events.on_session_ended(&peer, session),
                Event::Stored(mid, to, outcome) => events.on_stored(mid, &to, Ok(outcome)),
                Event::OfflineQueue(to, session, messages) => events.on_offline_queue(&to, session, messages),
                Event::RoomJoined(room, peer, session, outcome) => {
                    events.on_room_joined(&room, &peer, session, outcome);
                }
                Event::RoomLeft(room, left) => events.on_room_left(&room, left),
                Event::RoomDelta(room, delta) => events.on_room_delta(&room, delta),
                Event::RoomMessage(room, envelope) => events.on_room_message(room.as_str(), envelope),
                Event::RoomPublished(room, mid) => events.on_room_published(&room, mid, Ok(())),
            }
        }
        tokio::task::yield_now().await;
    }
}
