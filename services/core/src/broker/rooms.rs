//! What core and broker say to each other of rooms. Plain data: the methods are in `interface`, the rules of a
//! room in `records::rooms`.
//!
//! A room exists while it has members. Its version grows with every change, also over a loss of data, so a node
//! that missed a change sees it by the next one: a change names the version before it.

use switchboard_protocol::{Info, LeaveReason, MemberState, PeerId, RoomId, RoomKey, SessionId};

use super::error::BrokerError;

/// One member of a room. Its tenant is the room's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMember {
    /// The peer.
    pub peer: PeerId,
    /// The session with which it is in the room.
    pub session: SessionId,
    /// What it shows of itself.
    pub info: Option<Info>,
    /// Whether it is connected.
    pub state: MemberState,
}

/// A session of this node enters a room, or comes back to it from another node.
#[derive(Debug, Clone)]
pub struct RoomJoin {
    /// The room.
    pub room: RoomKey,
    /// The member, as it is from now on.
    pub member: RoomMember,
    /// Whether the answer must have the roster: this node has none. Else a join costs the same in every room.
    pub wants_roster: bool,
    /// Members of the room, at most; who is a member already always fits.
    pub max_members: usize,
    /// Rooms of the tenant, at most; 0: no bound.
    pub max_rooms: usize,
}

/// The answer to a [`RoomJoin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomJoined {
    /// The room's version before the join; equal to `version` if the join changed nothing.
    pub previous: u64,
    /// The room's version with the member.
    pub version: u64,
    /// Whether the peer was no member before.
    pub is_new: bool,
    /// Whether the room did not exist before.
    pub is_first: bool,
    /// The roster with that version, if the join asked for it.
    pub roster: Option<Roster>,
}

/// Why a session did not get into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The room has as many members as it may have.
    #[error("the room is full")]
    Full,
    /// The tenant has as many rooms as it may have.
    #[error("the tenant has as many rooms as it may have")]
    TooManyRooms,
    /// The bus did not do it, or cannot say whether it did.
    #[error(transparent)]
    Bus(#[from] BrokerError),
}

/// A member leaves a room, or is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLeave {
    /// The room.
    pub room: RoomKey,
    /// The member.
    pub peer: PeerId,
    /// Which entry of that peer may go.
    pub entry: RoomEntry,
    /// Why, for the other members.
    pub reason: LeaveReason,
}

/// An entry of one peer in a room; a peer has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomEntry {
    /// Whatever entry there is: the backend removes the peer.
    Any,
    /// That of this session, on any node: the session has ended, and its node may not know.
    OfSession(SessionId),
    /// That of this session, if this node wrote it last: the session was not resumed elsewhere.
    Own(SessionId),
    /// The same, if it is still detached: its resume window is over.
    OwnDetached(SessionId),
}

/// This node's [`RoomLeave`], or its removal of a dead node's member, took effect. Exactly one node hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLeft {
    /// The member.
    pub peer: PeerId,
    /// Why.
    pub reason: LeaveReason,
    /// Whether the room has ended with it.
    pub is_last: bool,
}

/// One change of a room, as all its nodes hear it, in the order of the versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomDelta {
    /// The version before; 0 if the room did not exist.
    pub previous: u64,
    /// The version with the change.
    pub version: u64,
    /// The change.
    pub change: RoomChange,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomChange {
    /// The entry of this peer is now so. It is new, or moved to another session or node, or has another info or state.
    Entered(RoomMember),
    /// The peer is no member any more.
    Left {
        /// The peer.
        peer: PeerId,
        /// The session of its entry.
        session: SessionId,
        /// Why.
        reason: LeaveReason,
    },
}

/// All members of a room at one version. A room that does not exist has version 0 and none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// The version.
    pub version: u64,
    /// The members, in no order.
    pub members: Vec<RoomMember>,
}

/// A room that the record of a peer's session names: what a resume enters again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMembership {
    /// The room.
    pub room: RoomId,
    /// The session that is in it.
    pub session: SessionId,
    /// What it shows of itself there.
    pub info: Option<Info>,
}

/// Which rooms of a tenant are asked for.
#[derive(Debug, Clone)]
pub struct RoomQuery {
    /// The tenant's name.
    pub tenant: String,
    /// The beginning of the rooms' names.
    pub prefix: String,
    /// Only what follows this [`RoomPage::next`].
    pub after: Option<String>,
    /// Rooms in the answer, at most.
    pub limit: usize,
}

/// Some rooms of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomPage {
    /// The rooms, each with the number of its members. An order is the backend's.
    pub rooms: Vec<(RoomId, u64)>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<String>,
}
