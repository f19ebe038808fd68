//! What the rest of the node asks of rooms: the commands of its clients, and the backend's questions, which any node
//! answers for any room.

use std::sync::Arc;

use switchboard_protocol::{Info, LeaveReason, PeerId, PeerKey, RoomId, RoomKey};

use super::send::RoomSend;
use crate::{
    broker::{
        error::BrokerError,
        rooms::{RoomEntry, RoomLeave, RoomPage, RoomQuery, Roster},
    },
    router::Router,
    send::sender::Sender,
    session::handle::Session,
};

impl Router {
    /// The client of `session` joins a room. `joined` or an error with this `id` follows.
    pub fn join_room(&self, session: &Arc<Session>, room: &RoomKey, info: Option<Info>, id: Option<u64>) {
        self.room_side().join(session, room, info, id);
    }

    /// The client of `session` leaves a room. `left` or an error with this `id` follows.
    pub fn leave_room(&self, session: &Session, room: &RoomKey, id: Option<u64>) {
        self.room_side().leave(session, room, id);
    }

    /// Takes one message of a client to a room in which it is. A numbered one ends in exactly one
    /// [`Sender::on_outcome`].
    pub fn send_to_room(&self, session: &Session, send: RoomSend) {
        self.room_side().send(session, send);
    }

    /// The same for a sender that need not be a member.
    pub fn publish_to_room(&self, sender: &dyn Sender, send: RoomSend) {
        self.room_side().publish(sender, send);
    }

    /// The rooms of a tenant.
    ///
    /// # Errors
    /// As [`crate::Broker::rooms`].
    pub async fn rooms(&self, query: RoomQuery) -> Result<RoomPage, BrokerError> {
        self.context().broker()?.rooms(query).await
    }

    /// The members of a room; none: there is no such room.
    ///
    /// # Errors
    /// As [`crate::Broker::roster`].
    pub async fn roster(&self, room: &RoomKey) -> Result<Roster, BrokerError> {
        self.context().broker()?.roster(room).await
    }

    /// The rooms of the session of `peer`, sorted: those that it is in, or returns to with a resume.
    ///
    /// # Errors
    /// As [`crate::Broker::rooms_of`].
    pub async fn rooms_of(&self, peer: &PeerKey) -> Result<Vec<RoomId>, BrokerError> {
        let mut rooms = self.context().broker()?.rooms_of(peer).await?;
        rooms.sort_unstable();
        Ok(rooms)
    }

    /// Removes `peer` from a room; `false`: it was no member. It hears `left`, and may join again.
    ///
    /// # Errors
    /// As [`crate::Broker::roster`].
    pub async fn remove_member(&self, room: &RoomKey, peer: &PeerId) -> Result<bool, BrokerError> {
        let broker = self.context().broker()?;
        let is_member = broker.has_member(room, peer).await?;
        if is_member {
            broker.leave_room(RoomLeave {
                room: room.clone(),
                peer: peer.clone(),
                entry: RoomEntry::Any,
                reason: LeaveReason::Kicked,
            });
        }
        Ok(is_member)
    }
}
