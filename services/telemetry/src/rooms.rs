//! Events of rooms. Never a room's or a peer's name: those have no bound.

use crate::{JoinOutcome, RoomDrop, Telemetry};

impl Telemetry {
    /// The rooms with a member on this node, and the memberships of its clients.
    pub fn rooms(&self, rooms: usize, members: usize) {
        self.metrics.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
        self.metrics
            .room_members
            .set(i64::try_from(members).unwrap_or(i64::MAX));
    }

    /// A client of this node joined a room, or not.
    pub fn room_join(&self, outcome: JoinOutcome) {
        self.metrics.room_joins[outcome.index()].inc();
    }

    /// The bus reported a change of a room.
    pub fn room_delta(&self) {
        self.metrics.room_deltas.inc();
    }

    /// A message to a room went to this many members on this node.
    pub fn room_messages(&self, members: u64) {
        self.metrics.room_messages.inc_by(members);
    }

    /// A roster was read again, because a change may have been missed.
    pub fn room_resync(&self) {
        self.metrics.room_resyncs.inc();
    }

    /// This many slow members did not get something of their room.
    pub fn room_drops(&self, what: RoomDrop, members: u64) {
        self.metrics.room_drops[what.index()].inc_by(members);
    }
}
