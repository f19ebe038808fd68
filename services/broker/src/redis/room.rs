//! A member of a room as this node has entered it. Not the table of all of them (`shard::tables`).

use switchboard_core::RoomMember;
use switchboard_protocol::RoomKey;

/// A member that this node has entered, as the shared record should name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalMember {
    pub(crate) member: RoomMember,
    /// The version of the room at which it was entered; 0: not confirmed yet.
    pub(crate) entered: u64,
    /// The version that the room had then at its creation: another one means that Redis has lost the room since.
    pub(crate) creation: u64,
}

/// A member to write again.
#[derive(Debug, Clone)]
pub(crate) struct DueMember {
    pub(crate) room: RoomKey,
    pub(crate) local: LocalMember,
    /// Another node may have taken this one for dead and removed the member.
    pub(crate) may_be_swept: bool,
}

/// The outcome of writing a member again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reasserted {
    /// It was entered elsewhere, or removed.
    Gone,
    /// The record names it.
    Stands {
        /// The version at which it is entered now.
        entered: u64,
        /// The version that the room had when it was created.
        creation: u64,
    },
}

/// The answer to a join that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) joined: switchboard_core::RoomJoined,
    /// The version that the room had when it was created.
    pub(crate) creation: u64,
}
