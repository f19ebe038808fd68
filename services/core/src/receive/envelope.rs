//! Envelopes that arrive from other nodes, checked before anything believes them.

use std::fmt::Display;

use bytes::Bytes;
use switchboard_protocol::{Envelope, NodeId, PeerKey};
use switchboard_telemetry::{BusDrop, Telemetry};

/// An envelope for one of this node's peers or rooms.
pub(crate) struct Checked<'a> {
    pub(crate) envelope: Envelope<'a>,
    pub(crate) from: PeerKey,
    pub(crate) origin: NodeId,
    bytes: &'a Bytes,
}

impl<'a> Checked<'a> {
    /// Decodes and checks `bytes`; `None`, counted by `telemetry`, when it is not an envelope of this tenant.
    pub(crate) fn read(bytes: &'a Bytes, tenant: &str, telemetry: &Telemetry) -> Option<Self> {
        let drop = |why: &dyn Display| {
            telemetry.bus_message_dropped(BusDrop::Malformed, why);
            None
        };
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) if error.is_of_other_version() => {
                telemetry.bus_message_dropped(BusDrop::OtherVersion, &error);
                return None;
            }
            Err(error) => return drop(&error),
        };
        let (Ok(from), Ok(origin)) = (PeerKey::parse(envelope.from), NodeId::new(envelope.origin)) else {
            return drop(&"an envelope with a malformed sender or origin");
        };
        if from.tenant() != tenant {
            return drop(&"an envelope from another tenant");
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
