//! One call of a script on a room, or on the part of a peer's record that names its rooms. Not how it is written and
//! read (`rooms`).

use switchboard_core::{BrokerError, RoomJoin, RoomLeave};
use switchboard_protocol::{Info, PeerId, PeerKey, RoomId, RoomKey, SessionId};
use tokio::sync::oneshot;

use super::super::room::{DueMember, Reasserted};
use crate::partition::Partition;

/// Whether a join may create its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The tenant has no bound, or the room is there.
    Free,
    /// The tenant has room, and this one counts already.
    Reserved,
    /// The tenant has as many rooms as it may have.
    Refused,
}

/// A script with its values.
#[derive(Debug)]
pub(crate) enum RoomCall {
    /// Enter a member.
    Join { join: RoomJoin, creation: Creation },
    /// Note that a member has no connection.
    Detach {
        room: RoomKey,
        peer: PeerId,
        session: SessionId,
    },
    /// Remove a member.
    Leave(RoomLeave),
    /// Write a member again, after Redis may have lost it.
    Reassert {
        due: DueMember,
        answer: oneshot::Sender<Result<Reasserted, BrokerError>>,
    },
    /// This run has no member of the room any more.
    Unlist(RoomKey),
    /// Note the room in the record of the member's session.
    Note {
        peer: PeerKey,
        session: SessionId,
        room: RoomId,
        info: Option<Info>,
    },
    /// Remove that note.
    RemoveNote {
        peer: PeerKey,
        session: SessionId,
        room: RoomId,
    },
}

impl RoomCall {
    /// The partition of its keys.
    pub(crate) fn partition(&self) -> Partition {
        Partition::of(match self {
            Self::Join { join, .. } => join.room.as_str(),
            Self::Detach { room, .. } | Self::Unlist(room) => room.as_str(),
            Self::Leave(leave) => leave.room.as_str(),
            Self::Reassert { due, .. } => due.room.as_str(),
            Self::Note { peer, .. } | Self::RemoveNote { peer, .. } => peer.as_str(),
        })
    }

    /// Payload bytes: the infos of members.
    pub(crate) fn bytes(&self) -> usize {
        let info = match self {
            Self::Join { join, .. } => &join.member.info,
            Self::Reassert { due, .. } => &due.local.member.info,
            Self::Note { info, .. } => info,
            Self::Detach { .. } | Self::Leave(_) | Self::Unlist(_) | Self::RemoveNote { .. } => return 0,
        };
        info.as_ref().map_or(0, |info| info.get().len())
    }
}
