//! Changes of a room, from the broker to its members here.

use std::sync::Arc;

use switchboard_protocol::{LeaveReason, RoomKey, SessionId};
use switchboard_telemetry::RoomDrop;

use super::{
    answers::left,
    room::{Room, RoomState},
    roster::News,
    side::RoomSide,
};
use crate::broker::rooms::RoomDelta;

impl RoomSide {
    /// A room has changed.
    pub(crate) fn on_delta(&self, key: &RoomKey, delta: RoomDelta) {
        self.in_known_room(key.as_str(), |room, state| {
            self.cx.telemetry.room_delta();
            let news = state.roster.apply(delta);
            self.on_news(room, state, &news);
            self.settle(room, state);
        });
    }

    /// The copy of the roster has changed.
    pub(super) fn on_news(&self, room: &Arc<Room>, state: &mut RoomState, news: &[News]) {
        for news in news {
            // Decided before and after: a room that becomes large with this change tells it no more.
            state.update_size(&self.cx.limits);
            let dropped = state.tell(room, news);
            self.cx.telemetry.room_drops(RoomDrop::Change, dropped);
            if let News::Left { session, reason, .. } = news {
                self.own_member_removed(room, state, *session, *reason);
            }
        }
    }

    /// Somebody else removed the entry of a member that is connected here.
    fn own_member_removed(
        &self,
        room: &Arc<Room>,
        state: &mut RoomState,
        id: SessionId,
        reason: LeaveReason,
    ) {
        // Another node believed that this one is dead.
        if reason == LeaveReason::Lost {
            self.enter_again(room, state, id);
            return;
        }
        if let Some(local) = state.local.remove(&id) {
            self.memberships.remove(id, &room.key);
            local.session.push_event(left(room, Some(reason)));
        }
    }
}
