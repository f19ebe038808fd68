//! `joined`: the answer to a join, and what a member hears that must replace its roster.

use std::sync::Arc;

use switchboard_protocol::{ErrorCode, Event, Joined, LeaveReason, SessionId};

use super::{
    room::{JoinCause, JoinProgress, Joiner, Local, Room, RoomState},
    side::{RoomSide, refuse},
};
use crate::session::handle::Session;

impl RoomSide {
    /// After every change of a room: answers what can be answered, and leaves the rest to the next tick.
    pub(super) fn settle(&self, room: &Arc<Room>, state: &mut RoomState) {
        state.update_size(&self.cx.limits);
        self.answer_joins(room, state);
        let is_waiting = state.has_behind
            || !state.joining.is_empty()
            || state.roster.has_gap()
            || state.count_to_tell().is_some();
        if is_waiting {
            self.mark_due(room, state);
        }
    }

    /// Answers the joins that the copy of the roster has reached. From here on their members hear what happens.
    fn answer_joins(&self, room: &Arc<Room>, state: &mut RoomState) {
        if !state.roster.is_known() || state.joining.is_empty() {
            return;
        }
        let version = state.roster.version();
        let is_reached =
            |joiner: &Joiner| matches!(joiner.progress, JoinProgress::Entered(at) if at <= version);
        let reached: Vec<_> = state.joining.extract_if(|_, joiner| is_reached(joiner)).collect();
        for (id, joiner) in reached {
            let Joiner {
                session, info, cause, ..
            } = joiner;
            if !state.roster.has(session.key().peer(), id) {
                self.removed_meanwhile(room, id, &session, cause);
                continue;
            }
            let (command_id, gap) = match cause {
                JoinCause::Command(id) => (id, false),
                JoinCause::Return { gap } => (None, gap),
            };
            let earlier = state.local.get(&id);
            let gap = gap || earlier.is_some_and(|earlier| earlier.has_missed);
            session.push_event(joined(room, state, command_id, gap));
            let local = Local {
                session,
                info,
                needs_roster: false,
                has_missed: false,
            };
            state.local.insert(id, local);
        }
    }

    /// The backend removed it, or another session of the peer took its place, before it knew that it was in.
    fn removed_meanwhile(&self, room: &Room, id: SessionId, session: &Session, cause: JoinCause) {
        self.memberships.remove(id, &room.key);
        match cause {
            JoinCause::Command(id) => refuse(
                session,
                id,
                ErrorCode::NotInRoom,
                "the peer was removed from the room",
            ),
            JoinCause::Return { .. } => session.push_event(left(room, Some(LeaveReason::Lost))),
        }
    }

    /// Gives the roster to the members that are behind, as far as they have room for it.
    pub(super) fn help_those_behind(&self, room: &Room, state: &mut RoomState) {
        let behind: Vec<_> = state
            .local
            .iter()
            .filter(|(_, local)| local.is_behind())
            .map(|(id, _)| *id)
            .collect();
        for id in behind {
            let Some(local) = state.local.get(&id) else {
                continue;
            };
            let (session, gap) = (Arc::clone(&local.session), local.has_missed);
            if !session.has_room_for_news(&self.cx.limits) {
                continue;
            }
            session.push_event(joined(room, state, None, gap));
            if let Some(local) = state.local.get_mut(&id) {
                local.needs_roster = false;
                local.has_missed = false;
            }
        }
        state.has_behind = state.local.values().any(Local::is_behind);
    }
}

fn joined(room: &Room, state: &RoomState, id: Option<u64>, gap: bool) -> Event {
    Event::Joined(Box::new(Joined {
        id,
        room: room.id.clone(),
        version: state.roster.version(),
        count: state.roster.len() as u64,
        members: (!state.is_large).then(|| state.roster.members()),
        gap,
    }))
}

pub(super) fn left(room: &Room, reason: Option<LeaveReason>) -> Event {
    Event::Left {
        id: None,
        room: room.id.clone(),
        reason,
    }
}
