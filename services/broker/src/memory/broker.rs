//! One node's place on a memory bus.

use std::{sync::Arc, time::Instant};

use futures_util::{FutureExt as _, future::BoxFuture};
use switchboard_core::{
    Asker, Broker, BrokerError, BrokerEvents, BusState, BusStatus, CallRecords, Claim, ClaimOutcome,
    ClusterLoad, EndedSession, EventStreams, Retention, RevocationChange, RoomJoin, RoomLeave, RoomPage,
    RoomQuery, Roster, Route, StoreOutcome, StoredMessage, TenantUsage,
};
use switchboard_protocol::{Mid, NodeId, NodeMessage, PeerId, PeerKey, RoomId, RoomKey, SessionId};
use switchboard_telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use super::{
    bus::{Event, Hub, MemoryBus, Place, deliver, now_s},
    call_records::SharedCallRecords,
    event_streams::MemoryEventStreams,
    presence::{announce, end_sessions, locate},
};
use crate::{
    conflict::{self, Owner},
    queue::bounded,
    session_end,
};

/// One node's place on a [`MemoryBus`].
pub struct MemoryBroker {
    bus: MemoryBus,
    place: Place,
    end: CancellationToken,
}

impl MemoryBroker {
    /// Joins `node` to `bus`. Must be called within a tokio runtime: a task hands the events over, because the
    /// caller of `publish` may hold locks.
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
        let mut hub = bus.hub();
        hub.nodes.insert(node.clone(), Arc::clone(&own));
        let revocations = hub.revocations.values().cloned().collect();
        drop(hub);
        // The bus keeps them as long as any node, so it lacks none.
        let _ = events.on_revocations_read(revocations, now_s());
        // Owner: `end`, which `shutdown` cancels.
        tokio::spawn(deliver(receiver, events, end.clone()));
        let ends = end_sessions(bus.clone(), Arc::clone(&own));
        // Owner: `end`, likewise.
        tokio::spawn(end.clone().run_until_cancelled_owned(ends));
        Arc::new(Self {
            bus: bus.clone(),
            place: Place { node, own, telemetry },
            end,
        })
    }

    /// The call records of the process.
    #[must_use]
    pub fn call_records(&self) -> Arc<dyn CallRecords> {
        Arc::new(SharedCallRecords(self.bus.call_records()))
    }

    /// The event streams of the process.
    #[must_use]
    pub fn event_streams(&self) -> Arc<dyn EventStreams> {
        Arc::new(MemoryEventStreams {
            streams: self.bus.event_streams(),
            node: self.place.node.clone(),
        })
    }

    fn owner(&self, key: &PeerKey) -> Option<Owner> {
        let owner = self.bus.hub().records.owner(key, Instant::now())?;
        Some(Owner {
            is_local: owner.node == self.place.node,
            node: owner.node,
            session: Some(owner.session),
            is_attached: owner.is_attached,
            touches: Some(owner.alive.to_string()),
        })
    }

    fn ask(&self, key: &PeerKey, claim: &Claim, owner: Owner) {
        let question = owner
            .session
            .and_then(|session| claim.on_conflict.question(key, session));
        if let Some(question) = question {
            // A question that does not fit has no answer, and the claim goes on without one.
            let _ = self.send_to_node(&owner.node, Route::default(), question.encode());
        }
    }

    fn hint(&self, hub: &mut Hub, to: &PeerKey) {
        let owner = hub.records.owner(to, Instant::now());
        if let Some(node) = owner.and_then(|owner| hub.nodes.get(&owner.node)) {
            let message = NodeMessage::OfflineQueueHint { key: to.clone() }.encode();
            // If it does not fit, the next claim finds the offline queue.
            let _ = self.place.push(node, Event::NodeMessage(message.into()));
        }
    }
}

impl Broker for MemoryBroker {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        Box::pin(async move {
            let read_owner = || std::future::ready(Ok(self.owner(key))).boxed();
            conflict::resolve(&claim, read_owner, |owner| self.ask(key, &claim, owner)).await?;
            let mut hub = self.bus.hub();
            let outcome = hub.records.claim(key, &self.place.node, &claim, Instant::now());
            announce(&mut hub, key);
            outcome
        })
    }

    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, keep: Option<Retention>) {
        let mut hub = self.bus.hub();
        hub.records
            .detach(key, &self.place.node, session, fence, keep, Instant::now());
        announce(&mut hub, key);
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        let mut hub = self.bus.hub();
        let owner = hub.records.owner(to, Instant::now());
        let owner = owner.filter(|owner| owner.is_attached);
        let receiver = owner.and_then(|owner| hub.nodes.get(&owner.node));
        // The report first: once it is certain to come, the message may go.
        let receivers = u64::from(receiver.is_some());
        self.place.report(Event::Published(mid, to.clone(), receivers))?;
        if let Some(receiver) = receiver {
            // A message that does not fit is lost like on any bus; the sender's node repeats it.
            let _ = self
                .place
                .push(receiver, Event::Message(to.clone(), envelope.into()));
        }
        Ok(())
    }

    fn locate(&self, asker: Asker, to: &PeerKey) -> Result<(), BrokerError> {
        let located = locate(&mut self.bus.hub(), to);
        self.place.report(Event::Located(asker, to.clone(), located))
    }

    fn watch(&self, peer: &PeerKey) -> bool {
        let mut hub = self.bus.hub();
        let watchers = hub.watchers.entry_ref(peer).or_default();
        watchers.insert(self.place.node.clone());
        true
    }

    fn unwatch(&self, peer: &PeerKey) {
        let mut hub = self.bus.hub();
        if let Some(watchers) = hub.watchers.get_mut(peer) {
            watchers.remove(&self.place.node);
            if watchers.is_empty() {
                hub.watchers.remove(peer);
            }
        }
    }

    fn store(&self, message: StoredMessage) -> Result<(), BrokerError> {
        let mut hub = self.bus.hub();
        // Nodes of one process do not die one by one.
        let outcome = hub.records.store(&message, false, Instant::now());
        self.place
            .report(Event::Stored(message.mid, message.to.clone(), outcome))?;
        if message.is_urgent && matches!(outcome, StoreOutcome::Queued { .. }) {
            self.hint(&mut hub, &message.to);
        }
        Ok(())
    }

    fn read_offline_queue(&self, key: &PeerKey, session: SessionId) {
        let mut hub = self.bus.hub();
        let messages = hub
            .records
            .offline_queue(key, &self.place.node, session, Instant::now());
        drop(hub);
        if !messages.is_empty() {
            // If they do not fit, the next claim finds them.
            let _ = self
                .place
                .report(Event::OfflineQueue(key.clone(), session, messages));
        }
    }

    fn remove_stored(&self, key: &PeerKey, session: SessionId, messages: usize, bytes: usize) {
        let mut hub = self.bus.hub();
        hub.records
            .remove_stored(key, &self.place.node, session, messages, bytes);
    }

    fn touch(&self, key: &PeerKey, session: SessionId) {
        self.bus.hub().records.touch(key, &self.place.node, session);
    }

    fn send_to_node(&self, node: &NodeId, _: Route, message: Vec<u8>) -> Result<(), BrokerError> {
        let hub = self.bus.hub();
        match hub.nodes.get(node) {
            Some(queue) => self.place.push(queue, Event::NodeMessage(message.into())),
            None => Ok(()),
        }
    }

    fn tenant_usage(&self, own: TenantUsage) -> Option<TenantUsage> {
        let mut hub = self.bus.hub();
        hub.usage.remove(&self.place.node);
        let mut elsewhere = TenantUsage::default();
        hub.usage.values().for_each(|other| elsewhere.add(other));
        hub.usage.insert(self.place.node.clone(), own);
        Some(elsewhere)
    }

    fn end_session<'a>(
        &'a self,
        key: &'a PeerKey,
    ) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>> {
        let read_owner = || std::future::ready(Ok(self.owner(key))).boxed();
        let ask = |owner: &Owner, session| {
            // It is asked again.
            let _ = self.send_to_node(&owner.node, Route::default(), session_end::request(key, session));
        };
        let remove = |_: Owner, session| {
            // Nodes of one process do not die one by one.
            let mut hub = self.bus.hub();
            let rooms = hub.records.end_detached(key, session);
            if rooms.is_some() {
                announce(&mut hub, key);
            }
            std::future::ready(Ok(rooms)).boxed()
        };
        Box::pin(session_end::end(read_owner, ask, remove))
    }

    fn revoke<'a>(&'a self, change: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>> {
        let RevocationChange { revocation, replaces } = change;
        let mut hub = self.bus.hub();
        hub.revocations
            .retain(|_, revocation| now_s() < revocation.until_s);
        if let Some(replaced) = replaces {
            hub.revocations.remove(&replaced.text());
        }
        hub.revocations.insert(revocation.text(), revocation.clone());
        let pushed = hub
            .nodes
            .values()
            .map(|node| self.place.push(node, Event::Revoked(revocation.clone())));
        // A node that does not hear of it would take its tokens: the caller must repeat it.
        let pushed: Result<(), BrokerError> = pushed.collect();
        Box::pin(std::future::ready(pushed))
    }

    fn join_room(&self, join: RoomJoin) -> Result<(), BrokerError> {
        self.bus.hub().enter(&self.place, join)
    }

    fn leave_room(&self, leave: RoomLeave) {
        self.bus.hub().leave(&self.place, &leave);
    }

    fn detach_member(&self, room: &RoomKey, peer: &PeerId, session: SessionId) {
        let mut hub = self.bus.hub();
        let delta = hub.rooms.detach(room, peer, session, &self.place.node);
        hub.announce(&self.place, room, delta);
    }

    fn publish_to_room(&self, room: &RoomKey, mid: Mid, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.bus.hub().publish(&self.place, room, mid, envelope.into())
    }

    fn forget_room(&self, room: &RoomKey) {
        self.bus.hub().stop_listening(room, &self.place.node);
    }

    fn roster<'a>(&'a self, room: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>> {
        std::future::ready(Ok(self.bus.hub().rooms.roster(room))).boxed()
    }

    fn has_member<'a>(
        &'a self,
        room: &'a RoomKey,
        peer: &'a PeerId,
    ) -> BoxFuture<'a, Result<bool, BrokerError>> {
        std::future::ready(Ok(self.bus.hub().rooms.has_member(room, peer))).boxed()
    }

    fn rooms_of<'a>(&'a self, peer: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>> {
        let rooms = self.bus.hub().records.rooms_of(peer, Instant::now());
        std::future::ready(Ok(rooms)).boxed()
    }

    fn rooms(&self, query: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>> {
        std::future::ready(self.bus.hub().rooms.page(&query)).boxed()
    }

    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        let mut hub = self.bus.hub();
        hub.load.remove(&self.place.node);
        let own = own?;
        let others = hub.load.values().copied().collect();
        hub.load.insert(self.place.node.clone(), own);
        Some(ClusterLoad { own, others })
    }

    fn status(&self) -> BusStatus {
        let hub = self.bus.hub();
        let attached = hub.records.attached_to(&self.place.node);
        BusStatus {
            state: BusState::Up,
            desired: attached,
            confirmed: attached,
            detail: String::new(),
        }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut hub = self.bus.hub();
            hub.leave_all(&self.place);
            hub.nodes.remove(&self.place.node);
            hub.watchers.retain(|_, watchers| {
                watchers.remove(&self.place.node);
                !watchers.is_empty()
            });
            for peer in hub.records.orphan(&self.place.node, Instant::now()) {
                announce(&mut hub, &peer);
            }
            hub.load.remove(&self.place.node);
            hub.usage.remove(&self.place.node);
            self.end.cancel();
        })
    }
}
