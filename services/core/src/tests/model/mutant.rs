//! Bugs that are planted to see whether the model finds them.

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A detached session keeps as done what its client never acknowledged.
    AcceptedIsDone,
    /// A message counts as done when it is written, without regard to the client.
    DoneWhenWritten,
    /// A client delivers to the application messages that it delivered before.
    NoDedupe,
    /// A client delivers to the application messages older than those it delivered.
    NoOrder,
}
