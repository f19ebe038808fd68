//! The outcome of a send: the final answer for its `id` (docs/delivery.md). Not here: `queued`, which an outcome follows.

use crate::ErrorCode;

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The receiver has it.
    Delivered,
    /// It is on its way to the members of a room.
    Published,
    /// The send failed for this reason.
    Error(ErrorCode),
}

impl SendOutcome {
    /// How many outcomes there are.
    pub const COUNT: usize = 2 + ErrorCode::ALL.len();

    /// The index among all outcomes: delivered, published, then the error codes in their order.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Delivered => 0,
            Self::Published => 1,
            Self::Error(code) => 2 + code.index(),
        }
    }
}
