//! Client → node: commands, each one JSON text frame. They borrow from the frame, so a payload is never copied. Not
//! here: whether a command is allowed (crate `core`).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{ErrorCode, MAX_FRAME_DEPTH, MessageKind, nests_deeper_than};

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

/// Commands of the protocol that this version does not serve.
const NOT_SERVED_YET: [&str; 5] = ["join", "leave", "lookup", "watch", "unwatch"];

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(default)]
    late: bool,
    #[serde(default, borrow)]
    to: Cow<'a, str>,
    #[serde(default)]
    room: Option<serde::de::IgnoredAny>,
    #[serde(default, borrow, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(default, borrow)]
    token: Cow<'a, str>,
}

/// `null` is a payload. Only an absent field is none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one text frame.
///
/// # Errors
/// [`CommandError`] with `bad-frame`, `unknown-type` or `missing-field`.
pub fn decode_command(text: &str) -> Result<Command<'_>, CommandError> {
    if nests_deeper_than(text.as_bytes(), MAX_FRAME_DEPTH) {
        return Err(bad_frame(
            format!("objects and arrays nest deeper than {MAX_FRAME_DEPTH}"),
            None,
        ));
    }
    let frame: Frame<'_> =
        serde_json::from_str(text).map_err(|error| bad_frame(error.to_string(), id_of(text)))?;
    if frame.id == Some(0) {
        return Err(bad_frame("`id` is an integer of at least 1".into(), None));
    }
    if let Some(kind) = MessageKind::from_name(&frame.kind) {
        return send(kind, frame).map(Command::Send);
    }
    let id = frame.id;
    match frame.kind.as_ref() {
        "ice" => Ok(Command::Ice { id }),
        "ping" => Ok(Command::Ping { id }),
        "ack" => match frame.seq {
            Some(seq) => Ok(Command::Ack {
                seq,
                late: frame.late,
            }),
            None => Err(missing("seq", id)),
        },
        "renew" if frame.token.is_empty() => Err(missing("token", id)),
        "renew" => Ok(Command::Renew {
            token: frame.token,
            id,
        }),
        "" => Err(missing("type", id)),
        other => Err(unknown(other, id)),
    }
}

fn send(kind: MessageKind, frame: Frame<'_>) -> Result<SendCommand<'_>, CommandError> {
    if frame.to.is_empty() {
        return Err(match frame.room {
            Some(_) => unknown("room messages", frame.id),
            None => missing("to", frame.id),
        });
    }
    let payload = frame.payload.ok_or_else(|| missing("payload", frame.id))?;
    Ok(SendCommand {
        kind,
        to: frame.to,
        payload,
        id: frame.id,
    })
}

fn bad_frame(message: String, id: Option<u64>) -> CommandError {
    CommandError {
        code: ErrorCode::BadFrame,
        message,
        id,
    }
}

fn missing(field: &str, id: Option<u64>) -> CommandError {
    CommandError {
        code: ErrorCode::MissingField,
        message: format!("the field `{field}` is missing"),
        id,
    }
}

fn unknown(kind: &str, id: Option<u64>) -> CommandError {
    // The text comes from the client, so its length is limited.
    let shown: String = kind.chars().take(32).collect();
    let message = match kind {
        "room messages" => "messages to a `room` are not served by this version; use `to`".to_owned(),
        _ if NOT_SERVED_YET.contains(&kind) => format!("`{shown}` is not served by this version"),
        _ => format!("there is no command of type `{shown}`"),
    };
    CommandError {
        code: ErrorCode::UnknownType,
        message,
        id,
    }
}

/// The `id` of a frame that is not a valid command: its sender can then tell which one failed.
fn id_of(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Option<u64>,
    }
    serde_json::from_str::<OnlyId>(text)
        .ok()
        .and_then(|frame| frame.id)
        .filter(|id| *id > 0)
}

/// Writes a send as a client does: `type` first, and the payload unchanged.
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
