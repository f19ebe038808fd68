//! One frame of a client, whatever its transport. Not its meaning (`switchboard_protocol::codec`).

use bytes::Bytes;
use serde_json::json;

use super::end::{ClientClose, ConnectionEnd};

/// The frame that tells of the close on a transport without close codes; none if the client knows.
pub(crate) fn close_frame(end: ConnectionEnd) -> Option<String> {
    let ConnectionEnd::ByNode(code) = end else {
        return None;
    };
    let frame = json!({ "type": "close", "code": code.code(), "reason": code.reason() });
    Some(frame.to_string())
}

/// One frame of a client.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A command in the connection's codec.
    Text(String),
    /// Bytes that are not text; no codec takes them.
    Binary(Bytes),
    /// A text over the limit was skipped; this is its beginning.
    Oversized(Vec<u8>),
    /// A frame that completes no command, with the bytes of its payload.
    Fragment(u64),
    /// The transport has buffered an answer, which the next flush sends.
    Ping,
    /// An answer to a ping, or none.
    Pong,
    /// The client closes the connection.
    Close(ClientClose),
}
