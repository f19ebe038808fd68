//! The client's side: a command as text, and any frame of a node read back.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    command::{Command, SendTarget},
    event::Event,
    kind::MessageKind,
};

/// Any frame of a node, as a client reads it.
#[derive(Debug, Clone)]
pub enum ServerFrame {
    /// The node speaks for itself.
    Event(Event),
    /// Another peer's message.
    Message(ServerMessage),
}

/// A message of another peer.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ServerMessage {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// The sender's peer ID.
    pub from: String,
    /// The room that the message was sent to. Absent for a message to this peer.
    #[serde(default)]
    pub room: Option<String>,
    /// The message's name for ever: `<sender's session>/<id>`, the same in each repetition.
    pub mid: String,
    /// Its number in this session, from 1.
    pub seq: u64,
    /// The payload as the sender wrote it: any JSON value.
    #[cfg_attr(feature = "schema", schema(value_type = Value))]
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
        kind: Cow<'a, str>,
    }
    // The derived reader would also take an array of the members.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(FrameError(serde::de::Error::custom("a frame is one JSON object")));
    }
    let head: OnlyType<'_> = serde_json::from_str(text)?;
    if MessageKind::from_name(&head.kind).is_some() {
        return Ok(ServerFrame::Message(serde_json::from_str(text)?));
    }
    Ok(ServerFrame::Event(match head.kind.as_ref() {
        "joined" => Event::Joined(serde_json::from_str(text)?),
        "peer-joined" => Event::PeerJoined(serde_json::from_str(text)?),
        _ => serde_json::from_str(text)?,
    }))
}

/// Writes a command as a client does: `type` first, the payload untouched and last.
#[must_use]
pub fn encode_command(command: &Command<'_>) -> String {
    #[expect(
        clippy::expect_used,
        reason = "strings, numbers and raw JSON always serialise"
    )]
    serde_json::to_string(&Frame::of(command)).expect("plain fields serialise")
}

/// The members of all commands. Each command has some of them.
#[derive(Default, Serialize)]
struct Frame<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<&'a [Cow<'a, str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

impl<'a> Frame<'a> {
    fn of(command: &'a Command<'a>) -> Self {
        let mut frame = Self {
            id: command.id(),
            ..Self::default()
        };
        match command {
            Command::Send(send) => {
                frame.r#type = send.kind.as_str();
                match &send.to {
                    SendTarget::Peer(peer) => frame.to = Some(peer),
                    SendTarget::Room(room) => frame.room = Some(room),
                }
                frame.hold_ms = send.hold_ms;
                frame.payload = Some(send.payload);
            }
            Command::Join(join) => {
                frame.r#type = "join";
                frame.room = Some(&join.room);
                frame.info = join.info;
            }
            Command::Leave { room, .. } => {
                frame.r#type = "leave";
                frame.room = Some(room);
            }
            Command::Lookup { peers, .. } => {
                frame.r#type = "lookup";
                frame.peers = Some(peers);
            }
            Command::Watch { peers, .. } => {
                frame.r#type = "watch";
                frame.peers = Some(peers);
            }
            Command::Unwatch { peers, .. } => {
                frame.r#type = "unwatch";
                frame.peers = Some(peers);
            }
            Command::Ice { .. } => frame.r#type = "ice",
            Command::Renew { token, .. } => {
                frame.r#type = "renew";
                frame.token = Some(token);
            }
            Command::Ack { seq, late } => {
                frame.r#type = "ack";
                frame.seq = Some(*seq);
                frame.late = *late;
            }
            Command::Ping { .. } => frame.r#type = "ping",
        }
        frame
    }
}
