//! The ways out of a room: a client leaves, its session ends, its connection is lost.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{ErrorCode, Event, LeaveReason, RoomKey};

use super::{
    detached::{Detached, DetachedRoom},
    room::{JoinCause, Room, RoomState},
    side::{RoomSide, refuse},
};
use crate::{
    broker::rooms::{RoomEntry, RoomLeave, RoomLeft},
    observer::NodeEvent,
    session::handle::Session,
};

impl RoomSide {
    /// The client of `session` leaves a room.
    pub(crate) fn leave(&self, session: &Session, key: &RoomKey, id: Option<u64>) {
        if !self.memberships.remove(session.id(), key) {
            refuse(session, id, ErrorCode::NotInRoom, ErrorCode::NotInRoom.meaning());
            return;
        }
        self.in_known_room(key.as_str(), |room, state| {
            self.take_out(room, state, session, LeaveReason::Left);
        });
        session.push_event(Event::Left {
            id,
            room: key.room_id(),
            reason: None,
        });
    }

    /// The session of a connection has ended: it leaves all its rooms.
    pub(crate) fn end_session(&self, session: &Session, reason: LeaveReason) {
        for key in self.memberships.take(session.id()) {
            self.in_known_room(key.as_str(), |room, state| {
                self.take_out(room, state, session, reason);
            });
        }
    }

    /// The connection of `session` is lost, and can come back within `window`. Others hear nothing until then.
    pub(crate) fn detach_session(&self, session: &Session, window: Duration, reason: LeaveReason) {
        let keys = self.memberships.take(session.id());
        if keys.is_empty() {
            return;
        }
        let id = session.id();
        let mut rooms = Vec::with_capacity(keys.len());
        for key in keys {
            self.in_known_room(key.as_str(), |room, state| {
                let local = state.local.remove(&id);
                state.joining.remove(&id);
                rooms.push(DetachedRoom {
                    key: key.clone(),
                    received: (Arc::downgrade(room), state.messages),
                    has_missed: local.is_none_or(|local| local.has_missed),
                });
                if let Ok(broker) = self.cx.broker() {
                    broker.detach_member(&room.key, &session.key().peer_id(), id);
                }
            });
        }
        let detached = Detached {
            peer: session.key().clone(),
            until: self.cx.now() + window,
            reason,
            rooms,
            has_missed: session.has_lost_room_messages(),
        };
        self.detached.insert(id, detached);
    }

    /// A member was removed, and this node did it.
    pub(crate) fn on_left(&self, room: &RoomKey, left: &RoomLeft) {
        self.cx.observe(|| NodeEvent::RoomLeft {
            room,
            peer: &left.peer,
            reason: left.reason,
        });
        if left.is_last {
            self.cx.observe(|| NodeEvent::RoomEnded { room });
        }
    }

    fn take_out(&self, room: &Arc<Room>, state: &mut RoomState, session: &Session, reason: LeaveReason) {
        let id = session.id();
        state.local.remove(&id);
        if let Some(joiner) = state.joining.remove(&id)
            && let JoinCause::Command(id) = joiner.cause
        {
            refuse(
                session,
                id,
                ErrorCode::NotInRoom,
                "the peer left the room before it was in",
            );
        }
        if let Ok(broker) = self.cx.broker() {
            broker.leave_room(RoomLeave {
                room: room.key.clone(),
                peer: session.key().peer_id(),
                entry: RoomEntry::Own(id),
                reason,
            });
        }
    }
}
