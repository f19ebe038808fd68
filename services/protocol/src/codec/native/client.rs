//! The client's side: a send as text, and any frame of a node read back.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{event::Event, kind::MessageKind};

/// Any frame of a node, as a client reads it.
#[derive(Debug, Clone)]
pub enum ServerFrame {
    /// The node speaks for itself.
    Event(Event),
    /// Another peer's message.
    Message(ServerMessage),
}

/// A forwarded message, as a client reads it.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerMessage {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// The sender's peer ID.
    pub from: String,
    /// The message's name.
    pub mid: String,
    /// Its number in this session.
    pub seq: u64,
    /// The payload as the sender wrote it.
    pub payload: Box<RawValue>,
}

/// A frame of a node that a client cannot read.
#[derive(Debug, thiserror::Error)]
#[error("not a frame of this protocol: {0}")]
pub struct FrameError(#[from] serde_json::Error);

/// Reads one text frame of a node.
///
/// # Errors
/// [`FrameError`] when it is not JSON of the expected form.
pub fn decode_event(text: &str) -> Result<ServerFrame, FrameError> {
    #[derive(Deserialize)]
    struct OnlyType<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    // The derived reader would also take an array of the members.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(FrameError(serde::de::Error::custom("a frame is one JSON object")));
    }
    let head: OnlyType<'_> = serde_json::from_str(text)?;
    match MessageKind::from_name(&head.kind) {
        Some(_) => Ok(ServerFrame::Message(serde_json::from_str(text)?)),
        None => Ok(ServerFrame::Event(serde_json::from_str(text)?)),
    }
}

/// Writes a send as a client does: `type` first, the payload untouched.
#[must_use]
pub fn encode_send(kind: MessageKind, to: &str, id: Option<u64>, payload: &RawValue) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        r#type: MessageKind,
        to: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        payload: &'a RawValue,
    }
    #[expect(
        clippy::expect_used,
        reason = "strings, a number and raw JSON always serialise"
    )]
    serde_json::to_string(&Out {
        r#type: kind,
        to,
        id,
        payload,
    })
    .expect("plain fields serialise")
}
