//! The room side of a node: its tables, and the few steps that all others are made of.

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_protocol::{ErrorCode, Event, RoomKey};
use tokio::sync::Notify;

use super::{
    detached::DetachedMembers,
    memberships::Memberships,
    pending_sends::PendingSends,
    room::{Room, RoomState},
    table::RoomTable,
};
use crate::{context::Context, session::handle::Session};

pub(crate) struct RoomSide {
    pub(super) cx: Arc<Context>,
    pub(super) table: RoomTable,
    pub(super) memberships: Memberships,
    pub(super) detached: DetachedMembers,
    pub(super) sends: PendingSends,
    /// Rooms that the next tick looks at; each once.
    pub(super) due: Mutex<Vec<Arc<Room>>>,
    /// Rooms whose roster is to be read anew; each once.
    pub(super) unread: Mutex<Vec<Arc<Room>>>,
    pub(super) has_unread: Notify,
}

impl RoomSide {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self {
            cx,
            table: RoomTable::default(),
            memberships: Memberships::default(),
            detached: DetachedMembers::default(),
            sends: PendingSends::default(),
            due: Mutex::default(),
            unread: Mutex::default(),
            has_unread: Notify::new(),
        }
    }

    /// Does something with a room, which is new if nobody was in it. A room in which nobody is afterwards is
    /// forgotten.
    pub(super) fn in_room(&self, key: &RoomKey, act: impl FnOnce(&Arc<Room>, &mut RoomState)) {
        loop {
            let room = self.table.get_or_create(key);
            let mut state = room.state.lock();
            if !state.is_forgotten {
                act(&room, &mut state);
                self.forget_if_empty(&room, &mut state);
                return;
            }
        }
    }

    /// The same with a room in which somebody is; does nothing without one.
    pub(super) fn in_known_room(&self, key: &str, act: impl FnOnce(&Arc<Room>, &mut RoomState)) {
        let Some(room) = self.table.get(key) else { return };
        let mut state = room.state.lock();
        if !state.is_forgotten {
            act(&room, &mut state);
            self.forget_if_empty(&room, &mut state);
        }
    }

    /// The next tick looks at `room`.
    pub(super) fn mark_due(&self, room: &Arc<Room>, state: &mut RoomState) {
        if !std::mem::replace(&mut state.is_due, true) {
            self.due.lock().push(Arc::clone(room));
        }
    }

    /// The roster of `room` is read anew, soon.
    pub(super) fn read_again(&self, room: &Arc<Room>, state: &mut RoomState) {
        if !std::mem::replace(&mut state.is_reading, true) {
            self.unread.lock().push(Arc::clone(room));
            self.has_unread.notify_one();
        }
    }

    /// Sets the gauges of rooms: it visits every room.
    pub(crate) fn update_gauges(&self) {
        let rooms = self.table.all();
        let members = rooms.iter().map(|room| room.state.lock().local.len()).sum();
        self.cx.telemetry.rooms(rooms.len(), members);
    }

    /// The rooms of this node with the members that each has in the cluster, and those that are here; it visits every room.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (RoomKey, usize, usize)> + use<> {
        self.table.all().into_iter().map(|room| {
            let state = room.state.lock();
            let here = state.local.len();
            // Until the roster has come, only those here are known.
            (room.key.clone(), state.roster.len().max(here), here)
        })
    }

    /// Whether nothing is left of any room.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.table.all().is_empty() && self.due.lock().is_empty() && self.unread.lock().is_empty()
    }

    /// In this order: who joins meanwhile waits for the lock, and then finds another room and subscribes again.
    pub(super) fn forget_if_empty(&self, room: &Arc<Room>, state: &mut RoomState) {
        if state.is_empty() {
            state.is_forgotten = true;
            if let Ok(broker) = self.cx.broker() {
                broker.forget_room(&room.key);
            }
            self.table.remove(room);
        }
    }
}

/// Tells a client that its command failed.
pub(super) fn refuse(session: &Session, id: Option<u64>, code: ErrorCode, message: &'static str) {
    session.push_event(Event::Error {
        id,
        code,
        message: message.into(),
        retry_after_ms: None,
    });
}
