//! The rooms that clients of this node are in.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::RwLock;
use switchboard_protocol::RoomKey;

use super::room::Room;

/// Bounded by the memberships of the node's sessions: a room without one leaves.
#[derive(Debug, Default)]
pub(super) struct RoomTable(RwLock<HashMap<RoomKey, Arc<Room>>>);

impl RoomTable {
    /// The room at `tenant/room`.
    pub(super) fn get(&self, key: &str) -> Option<Arc<Room>> {
        self.0.read().get(key).cloned()
    }

    /// The room, new if nobody was in it. It may be forgotten by the time it is locked.
    pub(super) fn get_or_create(&self, key: &RoomKey) -> Arc<Room> {
        if let Some(room) = self.get(key.as_str()) {
            return room;
        }
        Arc::clone(self.0.write().entry_ref(key).or_insert_with(|| Room::new(key)))
    }

    /// Removes `room`, whose state says that it is forgotten.
    pub(super) fn remove(&self, room: &Arc<Room>) {
        let mut rooms = self.0.write();
        if rooms
            .get(&room.key)
            .is_some_and(|current| Arc::ptr_eq(current, room))
        {
            rooms.remove(&room.key);
            if rooms.len() * 4 < rooms.capacity() {
                let room_for = rooms.len() * 2;
                rooms.shrink_to(room_for);
            }
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Room>> {
        self.0.read().values().cloned().collect()
    }
}
