//! The rooms of each session of this node. A session without a room costs nothing here.

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use switchboard_protocol::{RoomKey, SessionId};

/// Bounded: each session has at most `limits.rooms_per_peer` rooms.
#[derive(Debug, Default)]
pub(super) struct Memberships(Mutex<HashMap<SessionId, HashSet<RoomKey>>>);

/// The session is in as many rooms as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyRooms;

impl Memberships {
    /// Notes that `session` is in `room`.
    ///
    /// # Errors
    /// [`TooManyRooms`] if `session` is in `max` others already (0: no bound).
    pub(super) fn add(&self, session: SessionId, room: &RoomKey, max: usize) -> Result<(), TooManyRooms> {
        let mut sessions = self.0.lock();
        let rooms = sessions.entry(session).or_default();
        if max > 0 && rooms.len() >= max && !rooms.contains(room) {
            return Err(TooManyRooms);
        }
        rooms.insert(room.clone());
        Ok(())
    }

    /// Notes that `session` is not in `room` any more; `false` if it was not.
    pub(super) fn remove(&self, session: SessionId, room: &RoomKey) -> bool {
        let mut sessions = self.0.lock();
        let Some(rooms) = sessions.get_mut(&session) else {
            return false;
        };
        let was_in = rooms.remove(room);
        if rooms.is_empty() {
            sessions.remove(&session);
            if sessions.len() * 4 < sessions.capacity() {
                let room_for = sessions.len() * 2;
                sessions.shrink_to(room_for);
            }
        }
        was_in
    }

    /// Takes out all rooms of `session`.
    pub(super) fn take(&self, session: SessionId) -> HashSet<RoomKey> {
        self.0.lock().remove(&session).unwrap_or_default()
    }

    /// All rooms of `session`.
    pub(super) fn of(&self, session: SessionId) -> HashSet<RoomKey> {
        self.0.lock().get(&session).cloned().unwrap_or_default()
    }
}
