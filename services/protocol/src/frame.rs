//! Node → client frames as text: forwarded messages around their unchanged payload, and the decoder of a client. This is
//! the only place that builds JSON by hand, because a payload must not pass through a serialiser.

use std::io::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Event, MessageKind, Mid};

/// The fields of a forwarded message before its payload.
#[derive(Debug, Clone, Copy)]
pub struct MessageHead<'a> {
    /// The kind of message.
    pub kind: MessageKind,
    /// The sender's peer ID. Its alphabet needs no JSON escapes.
    pub from: &'a str,
    /// The message's identity.
    pub mid: Mid,
    /// The message's number in the receiver's session.
    pub seq: u64,
}

/// The most bytes of a head without the sender's name: keys, quotes, a `mid` and two numbers.
const HEAD_BYTES: usize = 128;

/// Appends the text of one forwarded message to `out`. `payload` must be a valid JSON value; it is copied unchecked.
pub fn write_message(out: &mut Vec<u8>, head: &MessageHead<'_>, payload: &[u8]) {
    out.reserve(HEAD_BYTES + head.from.len() + payload.len());
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(head.kind.as_str().as_bytes());
    out.extend_from_slice(b"\",\"from\":\"");
    out.extend_from_slice(head.from.as_bytes());
    out.extend_from_slice(b"\",\"mid\":\"");
    head.mid.write(out);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\",\"seq\":{},\"payload\":", head.seq);
    out.extend_from_slice(payload);
    out.push(b'}');
}

/// Appends the text of `receipt: delivered` to `out`, the most frequent event of a node.
pub fn write_delivered(out: &mut Vec<u8>, id: u64) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{{\"type\":\"receipt\",\"id\":{id},\"status\":\"delivered\"}}"
    );
}

/// Any frame of a node, decoded by a client.
#[derive(Debug, Clone)]
pub enum ServerFrame {
    /// An event of the node.
    Event(Event),
    /// A message of another peer.
    Message(ServerMessage),
}

/// A forwarded message, decoded by a client.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerMessage {
    /// The kind of message.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// The sender's peer ID.
    pub from: String,
    /// The message's identity.
    pub mid: String,
    /// The message's number in this session.
    pub seq: u64,
    /// The payload as the sender wrote it.
    pub payload: Box<RawValue>,
}

/// A frame of a node that a client cannot decode.
#[derive(Debug, thiserror::Error)]
#[error("not a frame of this protocol: {0}")]
pub struct FrameError(#[from] serde_json::Error);

/// Decodes one text frame of a node.
///
/// # Errors
/// [`FrameError`] when the text is not JSON of the expected form.
pub fn decode_event(text: &str) -> Result<ServerFrame, FrameError> {
    #[derive(Deserialize)]
    struct OnlyType<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    let head: OnlyType<'_> = serde_json::from_str(text)?;
    match MessageKind::from_name(&head.kind) {
        Some(_) => Ok(ServerFrame::Message(serde_json::from_str(text)?)),
        None => Ok(ServerFrame::Event(serde_json::from_str(text)?)),
    }
}
