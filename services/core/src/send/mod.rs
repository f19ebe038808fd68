//! The sender side: a send waits in its sender's outbox until its outcome, and is transmitted again until then.
//! A send has a sender, not a connection: see [`Sender`].

pub(crate) mod outbox;
pub(crate) mod outcome;
pub(crate) mod pending;
pub(crate) mod reports;
pub(crate) mod retry;
pub(crate) mod schedule;
pub(crate) mod sender;
pub(crate) mod side;
pub(crate) mod stream;
pub(crate) mod transmit;

pub use outbox::OutboxSlot;
pub use sender::Sender;
pub use side::SendRequest;
