//! Rooms and presence as events show them: members with their state, and why a member left. Not here: the roster that a
//! node keeps (crate `core`).

use serde::{Deserialize, Serialize};

use crate::{Info, PeerId, RoomId};

/// The answer to `join`. It also comes unasked, without an `id`, when a client must replace its roster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Joined {
    /// The command's `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The room.
    pub room: RoomId,
    /// The version of the roster. Changes with a higher version follow.
    pub version: u64,
    /// How many members the room has.
    pub count: u64,
    /// All members, with this client. Absent in a large room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// Whether messages to the room may be missing since the last event of the room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
}

impl Joined {
    pub(crate) fn held_bytes(&self) -> usize {
        let members = self.members.iter().flatten();
        size_of::<Self>() + members.map(Member::held_bytes).sum::<usize>()
    }
}

/// One member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Member {
    /// The member's peer ID.
    pub peer: PeerId,
    /// What the member shows of itself: a JSON object of at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub info: Option<Info>,
    /// Whether the member is connected.
    pub state: MemberState,
}

impl Member {
    /// The names are shared with the node's roster, so they count as nothing.
    const fn held_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// The state of a member. One that is offline is no member any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// Connected.
    Online,
    /// Without a connection, inside its resume window.
    Detached,
}

/// Another peer became a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerJoined {
    /// The room.
    pub room: RoomId,
    /// The version of the roster with the new member.
    pub version: u64,
    /// The new member.
    pub peer: PeerId,
    /// What the member shows of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub info: Option<Info>,
}

/// Why a member is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LeaveReason {
    /// It sent `leave`, or ended its session.
    Left,
    /// Its connection was lost, and it did not resume in time.
    Lost,
    /// The backend removed it.
    Kicked,
    /// Its token ended.
    Expired,
}

impl LeaveReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Left, Self::Lost, Self::Kicked, Self::Expired];

    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Kicked => "kicked",
            Self::Expired => "expired",
        }
    }

    /// The reason with this wire name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// One peer's state, in the event `presence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerPresence {
    /// The peer.
    pub peer: PeerId,
    /// Its state.
    pub state: PresenceState,
}

/// Whether a peer can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PresenceState {
    /// Connected.
    Online,
    /// Without a connection, inside its resume window.
    Detached,
    /// Neither.
    Offline,
}
