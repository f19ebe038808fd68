//! The five kinds of message between peers. Nodes treat all kinds alike; the kind is for applications and metrics.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a forwarded message: its `type` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// An SDP offer (RFC 9429).
    Offer,
    /// An SDP answer.
    Answer,
    /// An ICE candidate (RFC 8838).
    Candidate,
    /// The end of a call.
    Bye,
    /// Any other message of the application.
    Message,
}

impl MessageKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Offer,
        Self::Answer,
        Self::Candidate,
        Self::Bye,
        Self::Message,
    ];

    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
            Self::Bye => "bye",
            Self::Message => "message",
        }
    }

    /// The kind with this wire name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The code in an envelope, and the index for tables of counters.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
