//! Rooms on a memory bus: a change is made under the bus's lock, and put into the queue of each node that hears the
//! room. The rules of a room are `RoomRecords`.

use bytes::Bytes;
use switchboard_core::{BrokerError, RoomChange, RoomDelta, RoomEntry, RoomJoin, RoomLeave};
use switchboard_protocol::{LeaveReason, Mid, NodeId, PeerKey, RoomKey};

use super::{
    broker::MemoryBroker,
    bus::{Event, Hub},
};

impl Hub {
    fn listen(&mut self, room: &RoomKey, node: &NodeId) {
        let listeners = self.listeners.entry_ref(room).or_default();
        if !listeners.contains(node) {
            listeners.push(node.clone());
        }
    }

    pub(super) fn stop_listening(&mut self, room: &RoomKey, node: &NodeId) {
        if let Some(listeners) = self.listeners.get_mut(room) {
            listeners.retain(|listener| listener != node);
            if listeners.is_empty() {
                self.listeners.remove(room);
            }
        }
    }
}

impl MemoryBroker {
    pub(super) fn enter(&self, join: RoomJoin) -> Result<(), BrokerError> {
        let mut hub = self.bus.hub();
        hub.listen(&join.room, &self.node);
        let member = &join.member;
        let (outcome, delta) = match hub.rooms.join(&join, &self.node) {
            Ok((joined, delta)) => (Ok(joined), delta),
            Err(error) => (Err(error), None),
        };
        if outcome.is_ok() {
            let key = PeerKey::new(join.room.tenant(), &member.peer);
            let room = join.room.room_id();
            hub.records
                .enter_room(&key, member.session, room, member.info.clone());
        }
        let joined = Event::RoomJoined(join.room.clone(), member.peer.clone(), member.session, outcome);
        let queued = self.push(&self.own, joined);
        self.announce(&hub, &join.room, delta);
        drop(hub);
        if queued.is_err() {
            self.leave(&RoomLeave {
                room: join.room,
                peer: join.member.peer,
                entry: RoomEntry::Own(join.member.session),
                reason: LeaveReason::Lost,
            });
        }
        queued
    }

    pub(super) fn leave(&self, leave: &RoomLeave) {
        let mut hub = self.bus.hub();
        let Some((left, delta)) = hub.rooms.leave(leave, &self.node) else {
            return;
        };
        if let RoomChange::Left { peer, session, .. } = &delta.change {
            let key = PeerKey::new(leave.room.tenant(), peer);
            hub.records.leave_room(&key, *session, &leave.room.room_id());
        }
        // Only an observer misses it.
        let _ = self.push(&self.own, Event::RoomLeft(leave.room.clone(), left));
        self.announce(&hub, &leave.room, Some(delta));
    }

    /// This node ends: its members leave, because no other node of this process would ever remove them.
    pub(super) fn leave_all(&self, hub: &mut Hub) {
        for (room, _, delta) in hub.rooms.remove_node(&self.node) {
            self.announce(hub, &room, Some(delta));
        }
        hub.listeners.retain(|_, listeners| {
            listeners.retain(|listener| *listener != self.node);
            !listeners.is_empty()
        });
    }

    pub(super) fn publish_in(&self, room: &RoomKey, mid: Mid, envelope: Bytes) -> Result<(), BrokerError> {
        let hub = self.bus.hub();
        // The report first: once it is certain to come, the message may go.
        self.push(&self.own, Event::RoomPublished(room.clone(), mid))?;
        self.tell(&hub, room, || Event::RoomMessage(room.clone(), envelope.clone()));
        Ok(())
    }

    /// Tells the room's nodes of a change. One that does not fit is seen missing by the next.
    pub(super) fn announce(&self, hub: &Hub, room: &RoomKey, delta: Option<RoomDelta>) {
        if let Some(delta) = delta {
            self.tell(hub, room, || Event::RoomDelta(room.clone(), delta.clone()));
        }
    }

    fn tell(&self, hub: &Hub, room: &RoomKey, event: impl Fn() -> Event) {
        let listeners = hub.listeners.get(room).into_iter().flatten();
        for node in listeners.filter_map(|listener| hub.nodes.get(listener)) {
            let _ = self.push(node, event());
        }
    }
}
