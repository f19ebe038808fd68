//! Asking the broker to enter a session, and what follows if it does not.

use std::sync::Arc;

use switchboard_protocol::{ErrorCode, LeaveReason, MemberState, SessionId};
use switchboard_telemetry::JoinOutcome;

use super::{
    answers::left,
    room::{JoinCause, JoinProgress, Joiner, Room, RoomState},
    side::{RoomSide, refuse},
};
use crate::broker::rooms::{JoinError, RoomJoin, RoomMember};

impl RoomSide {
    /// Asks the broker to enter the joining session `id`.
    pub(super) fn ask(&self, room: &Arc<Room>, state: &mut RoomState, id: SessionId) {
        let wants_roster = !state.roster.is_known() && !state.is_roster_asked;
        let Some(joiner) = state.joining.get_mut(&id) else {
            return;
        };
        let join = RoomJoin {
            room: room.key.clone(),
            member: joiner.member(),
            wants_roster,
            max_members: self.cx.limits.room_members,
            max_rooms: joiner.session.account().max_rooms_of_tenant(),
        };
        let sent = self.cx.broker().and_then(|broker| broker.join_room(join));
        match sent {
            Ok(()) => {
                joiner.progress = JoinProgress::Asked;
                state.is_roster_asked |= wants_roster;
                *state.unanswered.entry(id).or_default() += 1;
            }
            Err(error) => self.join_failed(room, state, id, error.into()),
        }
    }

    /// The joining session `id` was not entered. One that was in the room before asks again while the bus is away.
    pub(super) fn join_failed(
        &self,
        room: &Arc<Room>,
        state: &mut RoomState,
        id: SessionId,
        error: JoinError,
    ) {
        let Some(joiner) = state.joining.get_mut(&id) else {
            return;
        };
        let may_return = matches!(joiner.cause, JoinCause::Return { .. });
        if may_return && matches!(error, JoinError::Bus(_)) {
            joiner.progress = JoinProgress::Unsent;
            self.mark_due(room, state);
            return;
        }
        let Some(joiner) = state.joining.remove(&id) else {
            return;
        };
        if !state.local.contains_key(&id) {
            self.memberships.remove(id, &room.key);
        }
        let (outcome, code, message) = match error {
            JoinError::Full => (
                JoinOutcome::Full,
                ErrorCode::RoomFull,
                "the room has as many members as it may have",
            ),
            JoinError::TooManyRooms => (
                JoinOutcome::TooManyRooms,
                ErrorCode::RoomFull,
                "the tenant has as many rooms as it may have",
            ),
            JoinError::Bus(_) => (
                JoinOutcome::Failed,
                ErrorCode::BusUnavailable,
                "the bus between nodes did not enter the peer; it may be in the room or not",
            ),
        };
        self.cx.telemetry.room_join(outcome);
        match joiner.cause {
            JoinCause::Command(id) => refuse(&joiner.session, id, code, message),
            JoinCause::Return { .. } => joiner.session.push_event(left(room, Some(LeaveReason::Lost))),
        }
    }

    /// The entry of a member that is connected here is gone, though nobody wanted that: it is entered again.
    pub(super) fn enter_again(&self, room: &Arc<Room>, state: &mut RoomState, id: SessionId) {
        let Some(local) = state.local.remove(&id) else {
            return;
        };
        let joiner = Joiner {
            session: local.session,
            info: local.info,
            cause: JoinCause::Return { gap: true },
            progress: JoinProgress::Unsent,
            since: self.cx.now(),
        };
        state.joining.insert(id, joiner);
        self.ask(room, state, id);
    }
}

impl Joiner {
    /// The member as it is from the join on.
    pub(super) fn member(&self) -> RoomMember {
        RoomMember {
            peer: self.session.key().peer_id(),
            session: self.session.id(),
            info: self.info.clone(),
            state: MemberState::Online,
        }
    }
}
