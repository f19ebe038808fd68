//! What happens in a room, for each of its members on this node: encoded events and payloads are shared, not copied.
//! Nothing waits for a slow member: it has missed something, and hears so later (`answers`).

use std::sync::Arc;

use switchboard_protocol::{Event, PeerJoined, SessionId};

use super::{
    room::{Room, RoomState},
    roster::News,
};
use crate::receive::shared_event::SharedEvent;

impl RoomState {
    /// Tells the members of a change; returns how many had no room for it. In a large room they hear the count with
    /// the next tick.
    pub(super) fn tell(&mut self, room: &Room, news: &News) -> u64 {
        if self.is_large {
            return 0;
        }
        let (about, event) = match news {
            News::Joined {
                version,
                peer,
                session,
                info,
            } => {
                let joined = PeerJoined {
                    room: room.id.clone(),
                    version: *version,
                    peer: peer.clone(),
                    info: info.clone(),
                };
                (*session, Event::PeerJoined(joined))
            }
            News::Left {
                version,
                peer,
                session,
                reason,
            } => {
                let left = Event::PeerLeft {
                    room: room.id.clone(),
                    version: *version,
                    peer: peer.clone(),
                    reason: *reason,
                };
                (*session, left)
            }
        };
        self.tell_all(event, Some(about))
    }

    /// Gives `event` to all members except one. Those that have no room for it are behind; returns how many.
    pub(super) fn tell_all(&mut self, event: Event, except: Option<SessionId>) -> u64 {
        let event = Arc::new(SharedEvent::new(event));
        let mut dropped = 0;
        for (id, local) in &mut self.local {
            if Some(*id) != except && !local.needs_roster {
                local.needs_roster = !local.session.push_news(Arc::clone(&event));
                dropped += u64::from(local.needs_roster);
            }
        }
        self.has_behind |= dropped > 0;
        dropped
    }
}
