//! Node → node: commands that a client sent over HTTP to a node that does not have its session, and the answer. The
//! commands stay as the client wrote them. Not here: their meaning (`command`).
//!
//! Layout of the commands: `session [12] · secret [16] · ticket u64 · origin (u8 length) · peer (u16 length) · text (the
//! rest)`. Layout of the answer: `ticket u64 · outcome u8`.

use crate::{NodeId, PeerKey, ResumeToken, Secret, SessionId, wire::Reader};

/// Commands for a session of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedCommands {
    /// The session, and the secret that shows that the sender owns it.
    pub token: ResumeToken,
    /// The peer whose token came with the request.
    pub key: PeerKey,
    /// Who gets the answer.
    pub origin: NodeId,
    /// Names the request at its origin.
    pub ticket: u64,
    /// One command, or an array of commands, as JSON; never logged.
    pub text: Secret,
}

/// What became of relayed commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayOutcome {
    /// The session's connection has them; each has its own answer there.
    Taken,
    /// That session has no connection here that takes commands over HTTP.
    NoSession,
    /// Too many commands wait for that connection.
    Busy,
    /// They are not one command or an array of commands, or too many at once.
    Invalid,
}

impl RelayedCommands {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (origin, key, text) = (self.origin.as_str(), self.key.as_str(), self.text.expose());
        out.reserve_exact(39 + origin.len() + key.len() + text.len());
        out.extend_from_slice(self.token.session.as_bytes());
        out.extend_from_slice(&self.token.secret_bytes());
        out.extend_from_slice(&self.ticket.to_be_bytes());
        // Names have at most 128 characters each.
        out.push(u8::try_from(origin.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(origin.as_bytes());
        out.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let session = SessionId::from_bytes(reader.array()?);
        let token = ResumeToken::new(session, reader.array()?);
        let ticket = reader.u64()?;
        let [length] = reader.array()?;
        let origin = text(reader.take(usize::from(length))?)?;
        let length = u16::from_be_bytes(reader.array()?);
        let key = text(reader.take(usize::from(length))?)?;
        Some(Self {
            token,
            key: PeerKey::parse(key).ok()?,
            origin: NodeId::new(origin).ok()?,
            ticket,
            text: Secret::new(text(reader.rest())?.to_owned()),
        })
    }
}

impl RelayOutcome {
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Taken => 0,
            Self::NoSession => 1,
            Self::Busy => 2,
            Self::Invalid => 3,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Taken),
            1 => Some(Self::NoSession),
            2 => Some(Self::Busy),
            3 => Some(Self::Invalid),
            _ => None,
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
