//! Client → node: one JSON text frame becomes a command that borrows from it, so that a payload is never copied. Not
//! whether the command is allowed (`switchboard_core::CommandGate`).
//!
//! The `type` decides which other members are read, and only those: a newer client's command may use a known name for
//! something else.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    fields::{bad_frame, hold_ms, info, missing, peers, string, text_of, unknown},
    head::id_in_head,
    number::integer,
};
use crate::{
    command::{Command, CommandError, JoinCommand, SendCommand, SendTarget},
    error::ErrorCode,
    kind::MessageKind,
    limits::MAX_FRAME_DEPTH,
    nesting::nests_deeper_than,
};

/// The commands that are no sends.
const COMMANDS: [&str; 9] = [
    "ack", "ping", "join", "leave", "lookup", "watch", "unwatch", "ice", "renew",
];

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
    #[serde(borrow)]
    room: Option<&'a RawValue>,
    #[serde(borrow)]
    hold_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    #[serde(borrow)]
    peers: Option<&'a RawValue>,
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
    if kind.is_none() && !COMMANDS.contains(&name.as_ref()) {
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
        "ack" => ack(&frame, id),
        "join" => Ok(Command::Join(JoinCommand {
            room: text_of("room", frame.room, id)?,
            info: info(frame.info, id)?,
            id,
        })),
        "leave" => Ok(Command::Leave {
            room: text_of("room", frame.room, id)?,
            id,
        }),
        "lookup" => Ok(Command::Lookup {
            peers: peers(frame.peers, id)?,
            id,
        }),
        "watch" => Ok(Command::Watch {
            peers: peers(frame.peers, id)?,
            id,
        }),
        "unwatch" => Ok(Command::Unwatch {
            peers: peers(frame.peers, id)?,
            id,
        }),
        "ice" => Ok(Command::Ice { id }),
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
    let to = match (frame.to, frame.room) {
        (Some(_), Some(_)) => return Err(bad_frame("`to` and `room` exclude each other".into(), id)),
        (None, Some(_)) => SendTarget::Room(text_of("room", frame.room, id)?),
        (Some(_) | None, None) => SendTarget::Peer(text_of("to", frame.to, id)?),
    };
    let hold_ms = hold_ms(frame.hold_ms, id)?;
    if hold_ms.is_some() && matches!(to, SendTarget::Room(_)) {
        return Err(bad_frame("`hold_ms` is for messages to a peer".into(), id));
    }
    let payload = frame.payload.ok_or_else(|| missing("payload", id))?;
    Ok(SendCommand {
        kind,
        to,
        payload,
        id,
        hold_ms,
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
