//! A client joins a room, and the broker's answer.

use switchboard_protocol::{ErrorCode, Info, PeerId, RoomKey, SessionId};
use switchboard_telemetry::JoinOutcome;

use std::sync::Arc;

use super::{
    room::{JoinCause, JoinProgress, Joiner},
    side::{RoomSide, refuse},
};
use crate::{
    broker::rooms::{JoinError, RoomChange, RoomDelta, RoomJoined},
    observer::NodeEvent,
    session::handle::Session,
};

impl RoomSide {
    /// The client of `session` joins a room. A member that joins again gets the roster again; what it shows of itself
    /// may have changed.
    pub(crate) fn join(&self, session: &Arc<Session>, key: &RoomKey, info: Option<Info>, id: Option<u64>) {
        let most = self.cx.limits.rooms_per_peer;
        if self.memberships.add(session.id(), key, most).is_err() {
            self.cx.telemetry.room_join(JoinOutcome::TooManyRooms);
            let message = "the peer is in as many rooms as it may be (`limits.rooms_per_peer`)";
            refuse(session, id, ErrorCode::NotAllowed, message);
            return;
        }
        self.in_room(key, |room, state| {
            if state.joining.contains_key(&session.id()) {
                let message = "an earlier `join` of this room is still under way";
                refuse(session, id, ErrorCode::BadFrame, message);
                return;
            }
            let joiner = Joiner {
                session: Arc::clone(session),
                info,
                cause: JoinCause::Command(id),
                progress: JoinProgress::Unsent,
                since: self.cx.now(),
            };
            state.joining.insert(session.id(), joiner);
            self.ask(room, state, session.id());
            self.settle(room, state);
        });
    }

    /// The broker has entered a session, or not.
    pub(crate) fn on_joined(
        &self,
        key: &RoomKey,
        peer: &PeerId,
        session: SessionId,
        outcome: Result<RoomJoined, JoinError>,
    ) {
        if let Ok(joined) = &outcome {
            self.observe_join(key, peer, joined);
        }
        self.in_known_room(key.as_str(), |room, state| {
            let is_last = state.count_answer(session);
            match outcome {
                Ok(joined) => {
                    if let Some(roster) = joined.roster {
                        state.is_roster_asked = false;
                        let news = state.roster.install(roster);
                        self.on_news(room, state, &news);
                    }
                    if let Some(joiner) = state.joining.get_mut(&session).filter(|_| is_last) {
                        joiner.progress = JoinProgress::Entered(joined.version);
                        // Nobody waits for the change on the room's channel.
                        if joined.previous < joined.version {
                            let delta = RoomDelta {
                                previous: joined.previous,
                                version: joined.version,
                                change: RoomChange::Entered(joiner.member()),
                            };
                            let news = state.roster.apply(delta);
                            self.on_news(room, state, &news);
                        }
                    }
                }
                Err(error) => {
                    if !state.roster.is_known() && std::mem::take(&mut state.is_roster_asked) {
                        // The roster would have come with this answer, and others may wait for it.
                        self.read_again(room, state);
                    }
                    if is_last {
                        self.join_failed(room, state, session, error);
                    }
                }
            }
            self.settle(room, state);
        });
    }

    fn observe_join(&self, room: &RoomKey, peer: &PeerId, joined: &RoomJoined) {
        if joined.is_new {
            self.cx.telemetry.room_join(JoinOutcome::Joined);
        }
        if joined.is_first {
            self.cx.observe(|| NodeEvent::RoomCreated { room });
        }
        if joined.is_new {
            self.cx.observe(|| NodeEvent::RoomJoined { room, peer });
        }
    }
}
