//! Client → node: commands. They borrow from the frame, so that a payload is never copied. Not how a frame is read
//! (`codec`), not whether a command is allowed (`switchboard_core::CommandGate`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{error::ErrorCode, kind::MessageKind};

/// One command of a client.
#[derive(Debug)]
pub enum Command<'a> {
    /// `offer`, `answer`, `candidate`, `bye` or `message` to a peer.
    Send(SendCommand<'a>),
    /// `ice`: ask for ICE servers with fresh credentials.
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
    /// `ack`: everything up to `seq` was processed.
    Ack {
        /// The last event's number.
        seq: u64,
        /// All but `seq` itself, which the client refuses: it had a later one of the same sender before.
        late: bool,
    },
    /// `ping`: ask for the node's clock.
    Ping {
        /// Echoed in the answer.
        id: Option<u64>,
    },
}

/// A message for another peer.
#[derive(Debug)]
pub struct SendCommand<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// The receiver's peer ID, not yet checked.
    pub to: Cow<'a, str>,
    /// Any JSON value, as the bytes in the frame.
    pub payload: &'a RawValue,
    /// Present: the send ends in a final word. Absent: fire and forget.
    pub id: Option<u64>,
}

/// Why a frame is no command: the answer its sender gets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CommandError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// What is wrong and how to mend it.
    pub message: String,
    /// The frame's `id`, where one could be read.
    pub id: Option<u64>,
}
