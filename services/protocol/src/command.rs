//! Client → node: commands, each one JSON text frame. They borrow from the frame, so a payload is never copied. Not
//! here: whether a command is allowed (crate `core`).

use std::borrow::Cow;

use serde_json::value::RawValue;

#[cfg(feature = "schema")]
use crate::id::{PeerId, RoomId};
use crate::{error::ErrorCode, kind::MessageKind};

/// One command of a client.
#[derive(Debug)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    serde(tag = "type", rename_all = "lowercase")
)]
pub enum Command<'a> {
    /// `offer`, `answer`, `candidate`, `bye` or `message` to a peer or a room.
    #[cfg_attr(feature = "schema", serde(skip))]
    Send(SendCommand<'a>),
    /// `join`: become a member of a room.
    Join(JoinCommand<'a>),
    /// `leave`: stop being a member of a room.
    Leave {
        /// The room's name, not yet checked.
        #[cfg_attr(feature = "schema", schema(value_type = RoomId))]
        room: Cow<'a, str>,
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `lookup`: request the presence of peers, once.
    Lookup {
        /// At most 100 peer IDs, not yet checked.
        #[cfg_attr(feature = "schema", schema(value_type = Vec<PeerId>, max_items = 100))]
        peers: Vec<Cow<'a, str>>,
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `watch`: request the presence of peers, now and at each change.
    Watch {
        /// At most 100 peer IDs, not yet checked.
        #[cfg_attr(feature = "schema", schema(value_type = Vec<PeerId>, max_items = 100))]
        peers: Vec<Cow<'a, str>>,
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `unwatch`: the end of a `watch`.
    Unwatch {
        /// At most 100 peer IDs, not yet checked.
        #[cfg_attr(feature = "schema", schema(value_type = Vec<PeerId>, max_items = 100))]
        peers: Vec<Cow<'a, str>>,
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `ice`: request ICE servers with fresh credentials.
    Ice {
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `renew`: a newer token for this connection.
    Renew {
        /// The JWT; never logged.
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        token: Cow<'a, str>,
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `ack`: the client has processed everything up to `seq`.
    Ack {
        /// The last event's number.
        seq: u64,
        /// The client refuses `seq` itself, because it has a later message of the same sender.
        #[cfg_attr(feature = "schema", serde(default))]
        late: bool,
    },
    /// `ping`: request the node's clock.
    Ping {
        /// Echoed in the answer.
        id: Option<u64>,
    },
}

/// A message for another peer, or for the members of a room.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SendCommand<'a> {
    /// The kind of message.
    #[cfg_attr(feature = "schema", serde(rename = "type"))]
    pub kind: MessageKind,
    /// Who gets it.
    #[cfg_attr(feature = "schema", serde(flatten))]
    pub to: SendTarget<'a>,
    /// Any JSON value, as the bytes in the frame.
    #[cfg_attr(feature = "schema", schema(value_type = Value))]
    pub payload: &'a RawValue,
    /// With an id the send ends in an outcome. Without one it is fire and forget.
    pub id: Option<u64>,
    /// How long the message may wait for a peer that is offline, in milliseconds; not at all if absent.
    pub hold_ms: Option<u64>,
}

/// Who gets a message. The name is not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SendTarget<'a> {
    /// The peer with this ID.
    #[cfg_attr(feature = "schema", serde(rename = "to"), schema(value_type = PeerId))]
    Peer(Cow<'a, str>),
    /// All other members of this room.
    #[cfg_attr(feature = "schema", serde(rename = "room"), schema(value_type = RoomId))]
    Room(Cow<'a, str>),
}

/// A request to become a member of a room.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JoinCommand<'a> {
    /// The room's name, not yet checked.
    #[cfg_attr(feature = "schema", schema(value_type = RoomId))]
    pub room: Cow<'a, str>,
    /// What the client shows of itself: a JSON object of at most 1,024 bytes.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub info: Option<&'a RawValue>,
    /// Echoed in the answer.
    pub id: Option<u64>,
}

impl Command<'_> {
    /// The `id` that the answer echoes. An `ack` has no answer.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        match self {
            Self::Send(send) => send.id,
            Self::Join(join) => join.id,
            Self::Leave { id, .. }
            | Self::Lookup { id, .. }
            | Self::Watch { id, .. }
            | Self::Unwatch { id, .. }
            | Self::Ice { id }
            | Self::Renew { id, .. }
            | Self::Ping { id } => *id,
            Self::Ack { .. } => None,
        }
    }
}

/// Why a frame is not a valid command. Its sender gets this as the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CommandError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// The problem, for people.
    pub message: String,
    /// The frame's `id`, if it was readable.
    pub id: Option<u64>,
}
