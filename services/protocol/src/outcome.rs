//! The outcome of a send: the final answer for its `id` (docs/delivery.md). Not here: `queued`, which an outcome follows.

use crate::ErrorCode;

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The receiver has it.
    Delivered,
    /// The send failed for this reason.
    Error(ErrorCode),
}

impl SendOutcome {
    /// How many outcomes there are.
    pub const COUNT: usize = 1 + ErrorCode::ALL.len();

    /// The index among all outcomes: delivered, then the error codes in their order.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Delivered => 0,
            Self::Error(code) => 1 + code.index(),
        }
    }
}
