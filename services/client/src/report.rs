//! The outcome of one send as the node reported it: for programs a [`SendOutcome`], for people a sentence.

use switchboard_protocol::{ErrorCode, SendOutcome};

/// A send's outcome, with the node's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReport {
    /// The outcome.
    pub outcome: SendOutcome,
    /// The reason for people; empty for a delivered or published send.
    pub message: String,
}

impl SendReport {
    /// The receiver has the message.
    #[must_use]
    pub const fn delivered() -> Self {
        Self {
            outcome: SendOutcome::Delivered,
            message: String::new(),
        }
    }

    /// The message is on its way to the members of the room.
    #[must_use]
    pub const fn published() -> Self {
        Self {
            outcome: SendOutcome::Published,
            message: String::new(),
        }
    }

    /// The send failed.
    pub fn failed(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            outcome: SendOutcome::Error(code),
            message: message.into(),
        }
    }

    /// Whether the receiver has the message.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.outcome == SendOutcome::Delivered
    }
}
