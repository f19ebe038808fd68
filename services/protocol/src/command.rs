//! Client → node: commands, each one JSON text frame. They borrow from the frame, so a payload is never copied. Not
//! here: whether a command is allowed (crate `core`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{error::ErrorCode, kind::MessageKind};

/// One command of a client.
#[derive(Debug)]
pub enum Command<'a> {
    /// `offer`, `answer`, `candidate`, `bye` or `message` to a peer.
    Send(SendCommand<'a>),
    /// `ice`: request ICE servers with fresh credentials.
    Ice {
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `renew`: a newer token for this connection.
    Renew {
        /// The JWT; never logged.
        token: Cow<'a, str>,
        /// Echoed in the answer.
        id: Option<u64>,
    },
    /// `ack`: the client has processed everything up to `seq`.
    Ack {
        /// The last event's number.
        seq: u64,
        /// The client refuses `seq` itself, because it has a later message of the same sender.
        late: bool,
    },
    /// `ping`: request the node's clock.
    Ping {
        /// Echoed in the answer.
        id: Option<u64>,
    },
}

/// A message for another peer.
#[derive(Debug)]
pub struct SendCommand<'a> {
    /// The kind of message.
    pub kind: MessageKind,
    /// The receiver's peer ID, not yet checked.
    pub to: Cow<'a, str>,
    /// Any JSON value, as the bytes in the frame.
    pub payload: &'a RawValue,
    /// With an id the send ends in an outcome. Without one it is fire and forget.
    pub id: Option<u64>,
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
