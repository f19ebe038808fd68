//! What happens in rooms as time passes: counts of large rooms, members that are behind, resume windows that end,
//! joins and sends that get no answer. A node without rooms looks at three empty lists a second.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{ErrorCode, Event, LeaveReason, PeerKey, SessionId};

use switchboard_telemetry::RoomDrop;

use super::{
    detached::Detached,
    room::{JoinCause, JoinProgress, Joiner, Room, RoomState},
    side::{RoomSide, refuse},
};
use crate::broker::rooms::{RoomEntry, RoomLeave};

/// How often a large room hears its count, and how soon a member that is behind gets the roster.
const TICK: Duration = Duration::from_secs(1);

impl RoomSide {
    /// Runs the timers of all rooms. Never completes.
    pub(crate) async fn run(&self) {
        tokio::join!(self.run_ticks(), self.run_reads());
    }

    async fn run_ticks(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.tick();
        }
    }

    /// Does everything that is due.
    pub(crate) fn tick(&self) {
        let now = self.cx.now();
        self.end_overdue_sends(now);
        while let Some((session, detached)) = self.detached.take_over(now) {
            self.end_detached(session, &detached);
        }
        let due = std::mem::take(&mut *self.due.lock());
        for room in due {
            let mut state = room.state.lock();
            state.is_due = false;
            if !state.is_forgotten {
                self.tick_room(&room, &mut state);
                self.forget_if_empty(&room, &mut state);
            }
        }
    }

    fn tick_room(&self, room: &Arc<Room>, state: &mut RoomState) {
        self.tick_joins(room, state);
        let waits_for_roster =
            !state.roster.is_known() && !state.is_roster_asked && !state.joining.is_empty();
        if state.roster.has_gap() || waits_for_roster {
            self.read_again(room, state);
        } else {
            if let Some(members) = state.count_to_tell() {
                state.last_count = members;
                let count = members as u64;
                let event = Event::RoomCount {
                    room: room.id.clone(),
                    count,
                };
                let dropped = state.tell_all(event, None);
                self.cx.telemetry.room_drops(RoomDrop::Change, dropped);
            }
            self.help_those_behind(room, state);
        }
        self.settle(room, state);
    }

    /// Ends joins that got no answer in time, and repeats those of members that return.
    fn tick_joins(&self, room: &Arc<Room>, state: &mut RoomState) {
        let (now, deadline) = (self.cx.now(), self.cx.limits.send_deadline);
        let is_overdue = |joiner: &Joiner| {
            let waited = now.saturating_duration_since(joiner.since);
            matches!(joiner.cause, JoinCause::Command(_)) && waited >= deadline
        };
        let overdue: Vec<_> = state.joining.extract_if(|_, joiner| is_overdue(joiner)).collect();
        for (id, joiner) in overdue {
            if !state.local.contains_key(&id) {
                self.memberships.remove(id, &room.key);
                self.remove(room, joiner.session.key(), RoomEntry::Own(id), LeaveReason::Left);
            }
            if let JoinCause::Command(id) = joiner.cause {
                let message = "the room did not answer in time; the peer is not in it";
                refuse(&joiner.session, id, ErrorCode::Timeout, message);
            }
        }
        let unsent: Vec<_> = state
            .joining
            .iter()
            .filter(|(_, joiner)| joiner.progress == JoinProgress::Unsent)
            .map(|(id, _)| *id)
            .collect();
        for id in unsent {
            self.ask(room, state, id);
        }
    }

    /// The resume window of a session is over: others hear that it left.
    fn end_detached(&self, session: SessionId, detached: &Detached) {
        let Ok(broker) = self.cx.broker() else { return };
        for room in &detached.rooms {
            broker.leave_room(RoomLeave {
                room: room.key.clone(),
                peer: detached.peer.peer_id(),
                entry: RoomEntry::OwnDetached(session),
                reason: detached.reason,
            });
        }
    }

    fn remove(&self, room: &Room, peer: &PeerKey, entry: RoomEntry, reason: LeaveReason) {
        if let Ok(broker) = self.cx.broker() {
            broker.leave_room(RoomLeave {
                room: room.key.clone(),
                peer: peer.peer_id(),
                entry,
                reason,
            });
        }
    }
}
