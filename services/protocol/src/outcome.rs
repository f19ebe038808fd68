//! The outcome of a send: the one answer that is final for its `id` (delivery.md). Not `queued`, which a later
//! outcome follows.

use crate::ErrorCode;

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The receiver has it.
    Delivered,
    /// It failed for this reason.
    Error(ErrorCode),
}

impl SendOutcome {
    /// How many outcomes there are.
    pub const COUNT: usize = 1 + ErrorCode::ALL.len();

    /// Its place among all outcomes: delivered, then the error codes in their order.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Delivered => 0,
            Self::Error(code) => 1 + code.index(),
        }
    }
}
