//! The node's answers to requests, and its events of rooms and presence. Not here: messages and connections
//! (`connected`).

use switchboard_protocol::{ErrorCode, PeerPresence};

use super::{RoomEvent, SessionEvent, event_queue::FollowUp, outbox::Answered, request::Request, task::Task};
use crate::SendReport;

impl Task {
    /// Reports the outcome of a send, unless it had one.
    pub(super) fn finish_send(&mut self, id: u64, report: SendReport) {
        if self.outbox.is_send(id)
            && let Some(answered) = self.outbox.finish(id)
        {
            self.push_answer(SessionEvent::Outcome { id, report }, &answered);
        }
    }

    /// A request failed, whether a send or another.
    pub(super) fn on_failed(&mut self, id: u64, code: ErrorCode, message: String) {
        let Some(answered) = self.outbox.finish(id) else {
            return;
        };
        if let (ErrorCode::NotInRoom, Request::Leave { room }) = (code, &answered.request) {
            self.standing.remove_room(room);
        }
        let event = if answered.request.is_send() {
            let report = SendReport::failed(code, message);
            SessionEvent::Outcome { id, report }
        } else {
            SessionEvent::Failed { id, code, message }
        };
        self.push_answer(event, &answered);
    }

    /// An event of a room. It may be the answer to a `join` or `leave`.
    pub(super) fn on_room_event(&mut self, event: RoomEvent) {
        let id = match &event {
            RoomEvent::Joined(joined) => joined.id,
            RoomEvent::Left { id, room, .. } => {
                self.standing.remove_room(room.as_str());
                *id
            }
            RoomEvent::PeerJoined(_) | RoomEvent::PeerLeft { .. } | RoomEvent::Count { .. } => None,
        };
        self.on_answer(id, SessionEvent::Room(event));
    }

    /// The state of peers. It may be the answer to a `lookup`, `watch` or `unwatch`.
    pub(super) fn on_presence(&mut self, id: Option<u64>, peers: Vec<PeerPresence>) {
        self.on_answer(id, SessionEvent::Presence { id, peers });
    }

    fn on_answer(&mut self, id: Option<u64>, event: SessionEvent) {
        match id.and_then(|id| Some((id, self.outbox.finish(id)?))) {
            Some((id, answered)) => {
                self.push_answer(event, &answered);
                self.standing.on_answer(id, answered.request);
            }
            None => self.event_queue.push(event, FollowUp::Nothing),
        }
    }

    pub(super) fn push_answer(&mut self, event: SessionEvent, answered: &Answered) {
        let follow_up = match answered.has_permit {
            true => FollowUp::ReleasePermit,
            false => FollowUp::Nothing,
        };
        self.event_queue.push(event, follow_up);
    }

    /// A new session has none of the memberships and watches of the session before.
    pub(super) fn ask_again(&mut self) {
        for (id, request) in self.standing.take() {
            self.outbox.insert_again(id, request);
        }
    }
}
