//! Client → node: one JSON text frame becomes a command that borrows from it, so that a payload is never copied. Not
//! whether the command is allowed (`switchboard_core::CommandGate`).
//!
//! The `type` decides which other members are read, and only those: a newer client's command may use a known name for
//! something else.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{head::id_in_head, number::integer};
use crate::{
    command::{Command, CommandError, SendCommand},
    error::ErrorCode,
    kind::MessageKind,
    limits::MAX_FRAME_DEPTH,
    nesting::nests_deeper_than,
    reflected::Reflected,
};

/// Commands of the protocol that this version does not serve yet.
const NOT_SERVED_YET: [&str; 5] = ["join", "leave", "lookup", "watch", "unwatch"];

/// The members of a frame, each unread.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow)]
    late: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    room: Option<serde::de::IgnoredAny>,
    #[serde(default, borrow, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
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
    let frame = parse(text).map_err(|message| bad_frame(message, id_in_head(text.as_bytes())))?;
    let id = frame.id.map(|raw| integer(raw.get()).filter(|id| *id > 0));
    let readable_id = id.flatten();
    let name = match frame.kind.map(string) {
        None => return Err(missing("type", readable_id)),
        Some(None) => return Err(bad_frame("`type` is a string".into(), readable_id)),
        Some(Some(name)) => name,
    };
    let kind = MessageKind::from_name(&name);
    if kind.is_none() && !matches!(name.as_ref(), "ice" | "ping" | "ack" | "renew") {
        return Err(unknown(&name, readable_id));
    }
    if id == Some(None) {
        return Err(bad_frame("`id` is an integer of at least 1".into(), None));
    }
    let id = readable_id;
    if let Some(kind) = kind {
        return send(kind, &frame, id).map(Command::Send);
    }
    match name.as_ref() {
        "ice" => Ok(Command::Ice { id }),
        "ack" => ack(&frame, id),
        "renew" => Ok(Command::Renew {
            token: text_of("token", frame.token, id)?,
            id,
        }),
        _ => Ok(Command::Ping { id }),
    }
}

/// The answer to a frame over the limit in bytes, of which only the first bytes were kept.
#[must_use]
pub fn too_large(prefix: &[u8]) -> CommandError {
    CommandError {
        code: ErrorCode::PayloadTooLarge,
        message: ErrorCode::PayloadTooLarge.meaning().into(),
        id: id_in_head(prefix),
    }
}

/// The members of the one object that a frame is.
fn parse(text: &str) -> Result<Frame<'_>, String> {
    // The derived reader would also take an array of the members.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("a frame is one JSON object".into());
    }
    if nests_deeper_than(text.as_bytes(), MAX_FRAME_DEPTH) {
        return Err(format!("objects and arrays nest deeper than {MAX_FRAME_DEPTH}"));
    }
    // No value is read here, so the reason is about the form and repeats nothing of the text.
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn send<'a>(kind: MessageKind, frame: &Frame<'a>, id: Option<u64>) -> Result<SendCommand<'a>, CommandError> {
    if frame.to.is_none() && frame.room.is_some() {
        return Err(not_served(
            "messages to a `room` are not served by this version; use `to`".into(),
            id,
        ));
    }
    let to = text_of("to", frame.to, id)?;
    let payload = frame.payload.ok_or_else(|| missing("payload", id))?;
    Ok(SendCommand {
        kind,
        to,
        payload,
        id,
    })
}

fn ack<'a>(frame: &Frame<'a>, id: Option<u64>) -> Result<Command<'a>, CommandError> {
    let seq = frame.seq.ok_or_else(|| missing("seq", id))?;
    let seq = integer(seq.get()).ok_or_else(|| bad_frame("`seq` is an integer of at least 0".into(), id))?;
    let late = match frame.late.map(RawValue::get) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(bad_frame("`late` is true or false".into(), id)),
    };
    Ok(Command::Ack { seq, late })
}

/// A member that must be a string and not empty.
fn text_of<'a>(
    field: &'static str,
    raw: Option<&'a RawValue>,
    id: Option<u64>,
) -> Result<Cow<'a, str>, CommandError> {
    match raw.map(string) {
        None => Err(missing(field, id)),
        Some(None) => Err(bad_frame(format!("`{field}` is a string"), id)),
        Some(Some(text)) if text.is_empty() => Err(missing(field, id)),
        Some(Some(text)) => Ok(text),
    }
}

/// The text of a JSON string; `None` for any other value.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
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

fn unknown(name: &str, id: Option<u64>) -> CommandError {
    if NOT_SERVED_YET.contains(&name) {
        return not_served(format!("`{name}` is not served by this version"), id);
    }
    not_served(format!("there is no command of type `{}`", Reflected(name)), id)
}

fn not_served(message: String, id: Option<u64>) -> CommandError {
    CommandError {
        code: ErrorCode::UnknownType,
        message,
        id,
    }
}
