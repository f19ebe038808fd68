//! The members of a command: each is read out of its unread JSON, or refused with an answer for the client. Not here:
//! which members a command has (`decode`).

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer as _,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::number::integer;
use crate::{
    command::CommandError,
    error::ErrorCode,
    limits::{MAX_INFO_BYTES, MAX_PEERS_PER_COMMAND},
    reflected::Reflected,
};

/// A member that must be a string and not empty.
pub(super) fn text_of<'a>(
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
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// The milliseconds of `hold_ms`. 0 means the same as no member.
pub(super) fn hold_ms(raw: Option<&RawValue>, id: Option<u64>) -> Result<Option<u64>, CommandError> {
    let Some(raw) = raw else { return Ok(None) };
    match integer(raw.get()) {
        Some(ms) => Ok(Some(ms).filter(|ms| *ms > 0)),
        None => Err(bad_frame("`hold_ms` is an integer of at least 0".into(), id)),
    }
}

/// The object that a member of a room shows of itself.
pub(super) fn info(raw: Option<&RawValue>, id: Option<u64>) -> Result<Option<&RawValue>, CommandError> {
    match raw {
        Some(raw) if !raw.get().starts_with('{') || raw.get().len() > MAX_INFO_BYTES => Err(bad_frame(
            format!("`info` is an object of at most {MAX_INFO_BYTES} bytes"),
            id,
        )),
        Some(_) | None => Ok(raw),
    }
}

/// The peer IDs of a `lookup`, `watch` or `unwatch`.
pub(super) fn peers<'a>(
    raw: Option<&'a RawValue>,
    id: Option<u64>,
) -> Result<Vec<Cow<'a, str>>, CommandError> {
    let raw = raw.ok_or_else(|| missing("peers", id))?;
    let (peers, count) = serde_json::Deserializer::from_str(raw.get())
        .deserialize_seq(Strings)
        .map_err(|_| bad_frame("`peers` is a list of strings".into(), id))?;
    if count > MAX_PEERS_PER_COMMAND {
        let message = format!("`peers` has {count} entries; at most {MAX_PEERS_PER_COMMAND} are allowed");
        return Err(bad_frame(message, id));
    }
    Ok(peers)
}

/// Reads a list of strings: the first [`MAX_PEERS_PER_COMMAND`] of them, and how many there are.
struct Strings;

impl<'de> Visitor<'de> for Strings {
    type Value = (Vec<Cow<'de, str>>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut strings, mut count) = (Vec::new(), 0);
        while strings.len() < MAX_PEERS_PER_COMMAND {
            let Some(raw) = list.next_element::<&RawValue>()? else {
                return Ok((strings, count));
            };
            strings.push(string(raw).ok_or_else(|| serde::de::Error::custom("not a string"))?);
            count += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((strings, count))
    }
}

pub(super) fn bad_frame(message: String, id: Option<u64>) -> CommandError {
    CommandError {
        code: ErrorCode::BadFrame,
        message,
        id,
    }
}

pub(super) fn missing(field: &str, id: Option<u64>) -> CommandError {
    CommandError {
        code: ErrorCode::MissingField,
        message: format!("the field `{field}` is missing"),
        id,
    }
}

pub(super) fn unknown(name: &str, id: Option<u64>) -> CommandError {
    CommandError {
        code: ErrorCode::UnknownType,
        message: format!("there is no command of type `{}`", Reflected(name)),
        id,
    }
}
