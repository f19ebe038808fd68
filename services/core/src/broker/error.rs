//! Why the broker did not do something.

/// Why the broker did not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The connection to the bus is down.
    #[error("the bus between nodes cannot be reached")]
    Unavailable,
    /// The bounded queue towards the bus is full.
    #[error("the queue towards the bus is full")]
    QueueFull,
    /// The bus is reachable but its records are still being rebuilt: an absent peer proves nothing.
    #[error("the bus has just come back; its records are not complete yet")]
    Unsettled,
    /// A newer connection of the same peer attached in the meantime.
    #[error("a newer connection of the same peer attached in the meantime")]
    Superseded,
    /// There is no session with that name and secret.
    #[error("there is no such session to resume")]
    NotResumable,
    /// The peer is attached elsewhere and its client is alive.
    #[error("the peer ID is in use by a live connection")]
    InUse,
    /// The list has no page that begins there.
    #[error("the cursor is not that of a page")]
    BadCursor,
    /// The other node has an earlier version, which does not know the message.
    #[error("the other node has an earlier version")]
    OtherVersion,
    /// The bus answered with an error.
    #[error("the bus refused the command")]
    Refused,
}
