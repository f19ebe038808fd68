//! Identities that nodes create: of a session and of a message. A `mid` identifies one message on every node, for ever.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A session's public identity: 96 random bits. Every `mid` contains it, so it is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; Self::BYTES]);

impl SessionId {
    /// Bytes of the binary form.
    pub const BYTES: usize = 12;
    /// Characters of the text form, base64url without padding.
    pub const CHARS: usize = 16;

    /// The session with these bytes. They must come from a random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The binary form.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`MidError`] when `text` is not 16 characters of base64url.
    pub fn parse(text: &str) -> Result<Self, MidError> {
        let mut bytes = [0; Self::BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::BYTES) => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(MidError),
        }
    }

    /// Appends the text form to `out`, without another allocation.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut text = [0; Self::CHARS];
        // 12 bytes need exactly this many characters, so the encoder fills the array.
        let written = URL_SAFE_NO_PAD
            .encode_slice(self.0, &mut text)
            .unwrap_or_default();
        out.extend_from_slice(&text[..written]);
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message's number within its sender's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageId {
    /// The client chose it. The send ends in an outcome.
    Client(u64),
    /// The node chose it for a send without an `id`: fire and forget.
    Node(u64),
}

/// The identity of one message: `<sender session>/<id>`, or `<sender session>/~<number>` if the node chose the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mid {
    /// The sender's session.
    pub session: SessionId,
    /// The number within that session.
    pub id: MessageId,
}

/// A text is not a `mid` or not a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form <16 characters of base64url>/<number>")]
pub struct MidError;

impl Mid {
    /// Reads the text form.
    ///
    /// # Errors
    /// [`MidError`] when `text` has another form.
    pub fn parse(text: &str) -> Result<Self, MidError> {
        let (session, id) = text.split_once('/').ok_or(MidError)?;
        let id = match id.strip_prefix('~') {
            Some(id) => MessageId::Node(number(id)?),
            None => MessageId::Client(number(id)?),
        };
        Ok(Self {
            session: SessionId::parse(session)?,
            id,
        })
    }

    /// Appends the text form to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        self.session.write(out);
        // Writing to a Vec cannot fail.
        let _ = match self.id {
            MessageId::Client(id) => write!(out, "/{id}"),
            MessageId::Node(number) => write!(out, "/~{number}"),
        };
    }
}

/// A number as a node writes it, at least 1: one message has one text.
fn number(text: &str) -> Result<u64, MidError> {
    if text.starts_with(['0', '+']) {
        return Err(MidError);
    }
    text.parse().map_err(|_| MidError)
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            MessageId::Client(id) => write!(f, "{}/{id}", self.session),
            MessageId::Node(number) => write!(f, "{}/~{number}", self.session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mid_is_parsed_from_its_own_text() {
        let session = SessionId::from_bytes(*b"abcdefghijkl");
        for id in [
            MessageId::Client(1),
            MessageId::Client(u64::MAX),
            MessageId::Node(7),
        ] {
            let mid = Mid { session, id };
            let mut written = Vec::new();
            mid.write(&mut written);
            assert_eq!(String::from_utf8(written).unwrap(), mid.to_string());
            assert_eq!(Mid::parse(&mid.to_string()), Ok(mid));
        }
    }

    #[test]
    fn an_invalid_mid_is_refused() {
        for text in [
            "",
            "/",
            "short/1",
            "YWJjZGVmZ2hpamts/",
            "YWJjZGVmZ2hpamts/x",
            "YWJjZGVmZ2hpamts/-1",
            "YWJjZGVmZ2hpamts/+1",
            "YWJjZGVmZ2hpamts/007",
            "YWJjZGVmZ2hpamts/0",
            "YWJjZGVmZ2hpamts/~0",
            "YWJjZGVmZ2hpamts/~+1",
            "YWJjZGVmZ2hpamts/1 ",
            "YWJjZGVmZ2hpamts/18446744073709551616",
        ] {
            assert_eq!(Mid::parse(text), Err(MidError), "{text}");
        }
    }
}
