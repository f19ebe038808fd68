//! Node → node: one message on a peer's channel. The form is binary: a node finds the payload without parsing and
//! forwards it without a copy. Not here: acknowledgements, which go to a node channel (`node_message`).
//!
//! Layout, integers big-endian:
//! `version u8 · kind u8 · flags u8 · session [12] · id u64 · prev u64? · trace [25]? ·
//! origin (len u8, name) · from (len u16, tenant/peer) · payload (the rest, UTF-8 JSON)`.

use crate::{MessageId, MessageKind, Mid, SessionId, TraceContext, wire::Reader};

const VERSION: u8 = 1;
const FLAG_CLIENT_ID: u8 = 1;
const FLAG_PREV: u8 = 1 << 1;
const FLAG_TRACE: u8 = 1 << 2;
const KNOWN_FLAGS: u8 = FLAG_CLIENT_ID | FLAG_PREV | FLAG_TRACE;

/// One message between two nodes, borrowed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The kind of message.
    pub kind: MessageKind,
    /// The message's identity. A [`MessageId::Client`] needs an acknowledgement, a [`MessageId::Node`] does not.
    pub mid: Mid,
    /// The previous id of this sender and receiver, if it has no outcome yet.
    pub prev: Option<u64>,
    /// The span to continue on the receiving node.
    pub trace: Option<TraceContext>,
    /// The node whose channel gets the acknowledgement.
    pub origin: &'a str,
    /// The sender, `tenant/peer`.
    pub from: &'a str,
    /// The payload as the sender wrote it.
    pub payload: &'a str,
}

/// Why bytes are not an envelope of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Fewer bytes than the layout needs.
    #[error("the envelope is cut short")]
    Short,
    /// A newer or older layout.
    #[error("envelope version {0} is not known here")]
    Version(u8),
    /// An unknown kind code.
    #[error("message kind {0} is not known here")]
    Kind(u8),
    /// A flag of another version: what it means for the bytes after it is unknown.
    #[error("envelope flags {0:#010b} are not known here")]
    Flags(u8),
    /// A name or the payload is not valid UTF-8.
    #[error("a text in the envelope is not valid UTF-8")]
    Utf8,
}

impl EnvelopeError {
    /// Whether another version of a node may have written the bytes.
    #[must_use]
    pub const fn is_of_other_version(self) -> bool {
        match self {
            Self::Version(_) | Self::Kind(_) | Self::Flags(_) => true,
            Self::Short | Self::Utf8 => false,
        }
    }
}

impl<'a> Envelope<'a> {
    /// The binary form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fixed = 3 + SessionId::BYTES + 16 + TraceContext::BYTES + 3;
        let mut out = Vec::with_capacity(fixed + self.origin.len() + self.from.len() + self.payload.len());
        let (id, flag_id) = match self.mid.id {
            MessageId::Client(id) => (id, FLAG_CLIENT_ID),
            MessageId::Node(number) => (number, 0),
        };
        let flag_prev = if self.prev.is_some() { FLAG_PREV } else { 0 };
        let flag_trace = if self.trace.is_some() { FLAG_TRACE } else { 0 };
        out.extend_from_slice(&[VERSION, self.kind.code(), flag_id | flag_prev | flag_trace]);
        out.extend_from_slice(self.mid.session.as_bytes());
        out.extend_from_slice(&id.to_be_bytes());
        if let Some(prev) = self.prev {
            out.extend_from_slice(&prev.to_be_bytes());
        }
        if let Some(trace) = self.trace {
            trace.encode(&mut out);
        }
        // Names are at most 128 bytes (node) and 257 (tenant/peer): both lengths fit.
        out.push(u8::try_from(self.origin.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.origin.as_bytes());
        out.extend_from_slice(&u16::try_from(self.from.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(self.from.as_bytes());
        out.extend_from_slice(self.payload.as_bytes());
        out
    }

    /// Reads the binary form without a copy.
    ///
    /// # Errors
    /// [`EnvelopeError`] for bytes that [`Envelope::encode`] of this version does not write.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader::new(bytes);
        let [version, kind, flags] = reader.array().ok_or(EnvelopeError::Short)?;
        if version != VERSION {
            return Err(EnvelopeError::Version(version));
        }
        let kind = MessageKind::from_code(kind).ok_or(EnvelopeError::Kind(kind))?;
        if flags & !KNOWN_FLAGS != 0 {
            return Err(EnvelopeError::Flags(flags));
        }
        let session = SessionId::from_bytes(reader.array().ok_or(EnvelopeError::Short)?);
        let id = reader.u64().ok_or(EnvelopeError::Short)?;
        let id = if flags & FLAG_CLIENT_ID == 0 {
            MessageId::Node(id)
        } else {
            MessageId::Client(id)
        };
        let prev = match flags & FLAG_PREV {
            0 => None,
            _ => Some(reader.u64().ok_or(EnvelopeError::Short)?),
        };
        let trace = match flags & FLAG_TRACE {
            0 => None,
            _ => Some(TraceContext::decode(&reader.array().ok_or(EnvelopeError::Short)?)),
        };
        let [origin_bytes] = reader.array().ok_or(EnvelopeError::Short)?;
        let origin = text(
            reader
                .take(usize::from(origin_bytes))
                .ok_or(EnvelopeError::Short)?,
        )?;
        let from_bytes = u16::from_be_bytes(reader.array().ok_or(EnvelopeError::Short)?);
        let from = text(reader.take(usize::from(from_bytes)).ok_or(EnvelopeError::Short)?)?;
        let payload = text(reader.rest())?;
        Ok(Self {
            kind,
            mid: Mid { session, id },
            prev,
            trace,
            origin,
            from,
            payload,
        })
    }
}

fn text(bytes: &[u8]) -> Result<&str, EnvelopeError> {
    std::str::from_utf8(bytes).map_err(|_| EnvelopeError::Utf8)
}
