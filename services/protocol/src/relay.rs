//! Node → node: requests that a client sent over HTTP to a node that does not have its session, and their answers. Commands
//! stay as the client wrote them. Not here: their meaning (`command`).
//!
//! Layout of a request: `session [12] · secret [16] · ticket u64 · origin (u8 length) · peer (u16 length) · kind u8 · body`.
//! The body of commands is their text. That of a poll is `wait in ms u64 · confirmed batch u64`, without the batch if there
//! is none. Layout of an answer: `ticket u64 · outcome u8`, and for a batch `number u64 · frames (the rest)`.

use crate::{NodeId, PeerKey, ResumeToken, Secret, SessionId, wire::Reader};

const COMMANDS: u8 = 0;
const POLL: u8 = 1;

/// A request for a session of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayRequest {
    /// The session, and the secret that shows that the sender owns it.
    pub token: ResumeToken,
    /// The peer whose token came with the request.
    pub key: PeerKey,
    /// Who gets the answer.
    pub origin: NodeId,
    /// Names the request at its origin.
    pub ticket: u64,
    /// What it asks for.
    pub body: RelayBody,
}

/// What a relayed request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayBody {
    /// Takes commands: one, or an array of them, as JSON; never logged.
    Commands(Secret),
    /// Takes the events that wait for a poll.
    Poll {
        /// The newest batch that the client has.
        confirmed: Option<u64>,
        /// How long to wait for events, in milliseconds.
        wait_ms: u64,
    },
}

/// What became of a relayed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayOutcome {
    /// The session's connection has the commands; each has its own answer there.
    Taken,
    /// That session has no such connection here.
    NoSession,
    /// Too many commands wait for that connection, or too many polls for this node.
    Busy,
    /// They are not one command or an array of commands, or too many at once.
    Invalid,
    /// The answer to a poll.
    Batch {
        /// Its number, which the next poll confirms.
        number: u64,
        /// A JSON array of frames; never logged.
        frames: Secret,
    },
}

impl RelayRequest {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (origin, key) = (self.origin.as_str(), self.key.as_str());
        out.extend_from_slice(self.token.session.as_bytes());
        out.extend_from_slice(&self.token.secret_bytes());
        out.extend_from_slice(&self.ticket.to_be_bytes());
        // Names have at most 128 characters each.
        out.push(u8::try_from(origin.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(origin.as_bytes());
        out.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(key.as_bytes());
        match &self.body {
            RelayBody::Commands(text) => {
                out.push(COMMANDS);
                out.extend_from_slice(text.expose().as_bytes());
            }
            RelayBody::Poll { confirmed, wait_ms } => {
                out.push(POLL);
                out.extend_from_slice(&wait_ms.to_be_bytes());
                if let Some(batch) = confirmed {
                    out.extend_from_slice(&batch.to_be_bytes());
                }
            }
        }
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
            body: RelayBody::read(reader)?,
        })
    }
}

impl RelayBody {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.array()? {
            [COMMANDS] => Some(Self::Commands(Secret::new(text(reader.rest())?))),
            [POLL] => {
                let wait_ms = reader.u64()?;
                let confirmed = if reader.is_empty() {
                    None
                } else {
                    Some(reader.u64()?)
                };
                reader.is_empty().then_some(Self::Poll { confirmed, wait_ms })
            }
            _ => None,
        }
    }
}

impl RelayOutcome {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Taken => 0,
            Self::NoSession => 1,
            Self::Busy => 2,
            Self::Invalid => 3,
            Self::Batch { .. } => 4,
        });
        if let Self::Batch { number, frames } = self {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(frames.expose().as_bytes());
        }
    }

    pub(crate) fn read(mut reader: Reader<'_>) -> Option<Self> {
        let outcome = match reader.array()? {
            [0] => Self::Taken,
            [1] => Self::NoSession,
            [2] => Self::Busy,
            [3] => Self::Invalid,
            [4] => Self::Batch {
                number: reader.u64()?,
                frames: Secret::new(text(reader.rest())?),
            },
            _ => return None,
        };
        reader.is_empty().then_some(outcome)
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
