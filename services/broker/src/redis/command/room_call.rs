//! One call of a script on a room, or on the part of a peer's record that names its rooms. Not how it is written and
//! read (`rooms`).

use switchboard_core::{BrokerError, RoomJoin, RoomLeave};
use switchboard_protocol::{Info, PeerId, PeerKey, RoomId, RoomKey, SessionId};
use tokio::sync::oneshot;

use super::super::room::{DueMember, Reasserted};

/// A script with its values.
#[derive(Debug)]
pub(crate) enum RoomCall {
    /// Enter a member.
    Join {
        join: RoomJoin,
        /// Whether the tenant may have one room more.
        may_create: bool,
    },
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
