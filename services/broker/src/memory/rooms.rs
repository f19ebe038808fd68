//! Rooms on a memory bus: a change is made under the bus's lock, and put into the queue of each node that hears the
//! room. The rules of a room are `RoomRecords`.

use bytes::Bytes;
use switchboard_core::{BrokerError, RoomChange, RoomDelta, RoomEntry, RoomJoin, RoomLeave};
use switchboard_protocol::{LeaveReason, Mid, NodeId, PeerKey, RoomKey};

use super::bus::{Event, Hub, Place};

impl Hub {
    /// Enters a member of `place`'s node, which hears the room from now on.
    pub(super) fn enter(&mut self, place: &Place, join: RoomJoin) -> Result<(), BrokerError> {
        self.listen(&join.room, &place.node);
        let (outcome, delta) = match self.rooms.join(&join, &place.node) {
            Ok((joined, delta)) => (Ok(joined), delta),
            Err(error) => (Err(error), None),
        };
        let RoomJoin { room, member, .. } = join;
        if outcome.is_ok() {
            let key = PeerKey::new(room.tenant(), &member.peer);
            self.records
                .enter_room(&key, member.session, room.room_id(), member.info);
        }
        let joined = Event::RoomJoined(room.clone(), member.peer.clone(), member.session, outcome);
        let reported = place.report(joined);
        self.announce(place, &room, delta);
        if reported.is_err() {
            let undo = RoomLeave {
                room,
                peer: member.peer,
                entry: RoomEntry::Own(member.session),
                reason: LeaveReason::Lost,
            };
            self.leave(place, &undo);
        }
        reported
    }

    pub(super) fn leave(&mut self, place: &Place, leave: &RoomLeave) {
        let Some((left, delta)) = self.rooms.leave(leave, &place.node) else {
            return;
        };
        if let RoomChange::Left { peer, session, .. } = &delta.change {
            let key = PeerKey::new(leave.room.tenant(), peer);
            self.records.leave_room(&key, *session, &leave.room.room_id());
        }
        // Only an observer misses it.
        let _ = place.report(Event::RoomLeft(leave.room.clone(), left));
        self.announce(place, &leave.room, Some(delta));
    }

    /// `place`'s node ends: its members leave, because no other node of this process would ever remove them.
    pub(super) fn leave_all(&mut self, place: &Place) {
        for (room, _, delta) in self.rooms.remove_node(&place.node) {
            self.announce(place, &room, Some(delta));
        }
        self.listeners.retain(|_, listeners| {
            listeners.retain(|listener| *listener != place.node);
            !listeners.is_empty()
        });
    }

    pub(super) fn publish(
        &self,
        place: &Place,
        room: &RoomKey,
        mid: Mid,
        envelope: Bytes,
    ) -> Result<(), BrokerError> {
        // The report first: once it is certain to come, the message may go.
        place.report(Event::RoomPublished(room.clone(), mid))?;
        self.tell(place, room, || Event::RoomMessage(room.clone(), envelope.clone()));
        Ok(())
    }

    /// Tells the room's nodes of a change. One that does not fit is seen missing by the next.
    pub(super) fn announce(&self, place: &Place, room: &RoomKey, delta: Option<RoomDelta>) {
        if let Some(delta) = delta {
            self.tell(place, room, || Event::RoomDelta(room.clone(), delta.clone()));
        }
    }

    fn tell(&self, place: &Place, room: &RoomKey, event: impl Fn() -> Event) {
        let listeners = self.listeners.get(room).into_iter().flatten();
        for node in listeners.filter_map(|listener| self.nodes.get(listener)) {
            let _ = place.push(node, event());
        }
    }

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
