//! A session returns to its rooms: on this node, or from another one, which may be dead. Others hear nothing of it. Or it
//! never returns, because something else has ended it.

use std::sync::Arc;

use hashbrown::HashMap;
use switchboard_protocol::{Info, LeaveReason, PeerKey, RoomKey};

use super::{
    detached::Detached,
    room::{JoinCause, JoinProgress, Joiner, Room},
    side::RoomSide,
};
use crate::{
    broker::rooms::{RoomEntry, RoomLeave, RoomMembership},
    session::handle::Session,
};

impl RoomSide {
    /// `session` continues on a new connection. It is in the rooms that its record names, and in those that this node
    /// knows of. `has_missed`: its client may not have all messages that were written to it.
    pub(crate) fn resume(&self, session: &Arc<Session>, recorded: &[RoomMembership], has_missed: bool) {
        let id = session.id();
        let detached = self.detached.remove(id);
        let here = self.memberships.of(id);
        let mut rooms: HashMap<RoomKey, Option<Info>> = here.into_iter().map(|key| (key, None)).collect();
        for membership in recorded.iter().filter(|membership| membership.session == id) {
            if let Ok(key) = session.key().room(membership.room.as_str()) {
                rooms.insert(key, membership.info.clone());
            }
        }
        for (key, recorded) in rooms {
            // It was within the bound when it joined.
            let _ = self.memberships.add(id, &key, 0);
            self.in_room(&key, |room, state| {
                let earlier = state.local.remove(&id);
                let earlier_info = earlier.as_ref().and_then(|earlier| earlier.info.clone());
                let missed_here = match (&earlier, &detached) {
                    (Some(earlier), _) => earlier.has_missed,
                    (None, Some(detached)) => detached.may_have_missed(room, state.messages),
                    (None, None) => true,
                };
                let joiner = Joiner {
                    session: Arc::clone(session),
                    info: recorded.or(earlier_info),
                    cause: JoinCause::Return {
                        gap: has_missed || missed_here,
                    },
                    progress: JoinProgress::Unsent,
                    since: self.cx.now(),
                };
                state.joining.insert(id, joiner);
                self.ask(room, state, id);
                self.settle(room, state);
            });
        }
    }

    /// A session of `key` without a connection has ended, and its record named these rooms: it is no member any more.
    pub(crate) fn end_recorded(&self, key: &PeerKey, recorded: &[RoomMembership], reason: LeaveReason) {
        let Ok(broker) = self.cx.broker() else { return };
        for membership in recorded {
            self.detached.remove(membership.session);
            if let Ok(room) = key.room(membership.room.as_str()) {
                broker.leave_room(RoomLeave {
                    room,
                    peer: key.peer_id(),
                    entry: RoomEntry::OfSession(membership.session),
                    reason,
                });
            }
        }
    }
}

impl Detached {
    /// Whether a message to `room` may have been missed while the session was away from this node.
    fn may_have_missed(&self, room: &Arc<Room>, messages: u64) -> bool {
        let left = self.rooms.iter().find(|left| left.key == room.key);
        self.has_missed
            || left.is_none_or(|left| {
                let (earlier, received) = &left.received;
                left.has_missed || *received != messages || !std::ptr::eq(earlier.as_ptr(), Arc::as_ptr(room))
            })
    }
}
