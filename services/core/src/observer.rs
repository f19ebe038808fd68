//! A hook for those who want to know what happens on this node: webhooks, presence, a live view. Not metrics
//! and not logs, which `telemetry` has.
//!
//! An observer gets what happens on this node. The end of a resume window is reported by the one node of the cluster that
//! finds it.

use switchboard_protocol::{LeaveReason, PeerId, PeerKey, RoomKey, SessionId};

/// Hears events of one node.
pub trait Observer: Send + Sync + 'static {
    /// Called by the task that caused `event`, which may hold locks. It must return at once and must not call
    /// back into the router: put the event into a bounded queue.
    fn on_event(&self, event: &NodeEvent<'_>);
}

/// What happened on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeEvent<'a> {
    /// A session was attached: the peer is connected here.
    Attached {
        /// The peer.
        peer: &'a PeerKey,
        /// Its session.
        session: SessionId,
        /// Its claim's fence: it grows with each connection of the peer. 0 while the bus is away.
        fence: u64,
        /// Whether an earlier connection's session continues.
        resumed: bool,
    },
    /// A session lost its connection; it can be resumed for the resume window.
    Detached {
        /// The peer.
        peer: &'a PeerKey,
        /// Its session.
        session: SessionId,
        /// The fence of its claim. If a higher one has attached, the session goes on there.
        fence: u64,
    },
    /// A session ended: it cannot be resumed. After the death of a node it may be reported twice.
    Ended {
        /// The peer.
        peer: &'a PeerKey,
        /// Its session.
        session: SessionId,
    },
    /// A message was put into the offline queue of a peer that is not connected.
    Wanted {
        /// The peer to wake up.
        peer: &'a PeerKey,
        /// The sender.
        by: &'a PeerKey,
    },
    /// A room came into being; `RoomJoined` of its first member follows. As all events of rooms, it is reported by one
    /// node of the cluster: the one that made the change.
    RoomCreated {
        /// The room.
        room: &'a RoomKey,
    },
    /// A peer became a member of a room.
    RoomJoined {
        /// The room.
        room: &'a RoomKey,
        /// The member; its tenant is the room's.
        peer: &'a PeerId,
    },
    /// A member left a room, or was removed.
    RoomLeft {
        /// The room.
        room: &'a RoomKey,
        /// The member; its tenant is the room's.
        peer: &'a PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// The last member left a room.
    RoomEnded {
        /// The room.
        room: &'a RoomKey,
    },
}
