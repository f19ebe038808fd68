//! Envelopes that arrive from other nodes, checked before anything believes them.

use bytes::Bytes;
use switchboard_protocol::{Envelope, NodeId, PeerKey};

/// An envelope for one of this node's peers.
pub(crate) struct Checked<'a> {
    pub(crate) envelope: Envelope<'a>,
    pub(crate) from: PeerKey,
    pub(crate) origin: NodeId,
    bytes: &'a Bytes,
}

impl<'a> Checked<'a> {
    /// Decodes and checks `bytes`; `None`, and a line in the log, when it is not an envelope for `to`.
    pub(crate) fn read(bytes: &'a Bytes, to: &PeerKey) -> Option<Self> {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%error, bytes = bytes.len(), "dropped an envelope that this node cannot read");
                return None;
            }
        };
        let (Ok(from), Ok(origin)) = (PeerKey::parse(envelope.from), NodeId::new(envelope.origin)) else {
            tracing::warn!("dropped an envelope with a malformed sender or origin");
            return None;
        };
        if from.tenant() != to.tenant() {
            tracing::error!("dropped an envelope from another tenant");
            return None;
        }
        Some(Self {
            envelope,
            from,
            origin,
            bytes,
        })
    }

    /// The payload, without a copy.
    pub(crate) fn payload(&self) -> Bytes {
        self.bytes.slice_ref(self.envelope.payload.as_bytes())
    }
}
