//! Client → node: one JSON text frame becomes a command that borrows from it, so that a payload is never copied. Not
//! whether the command is allowed (`switchboard_core::CommandGate`).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    command::{Command, CommandError, SendCommand},
    error::ErrorCode,
    kind::MessageKind,
    limits::MAX_FRAME_DEPTH,
    nesting::nests_deeper_than,
};

/// Commands of the protocol that this version does not serve yet.
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

/// `null` is a payload like any other; only an absent field is none.
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
    // The name comes from the client: shown, but never longer than a name is.
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

/// The `id` of a frame that could not be read as a command, so that its sender can tell which one failed.
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
