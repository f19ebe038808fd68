//! Messages on their way into an offline queue.

use std::time::Duration;

use switchboard_protocol::{Mid, PeerKey};

/// A message for the offline queue of a detached peer.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// The message; always one with a client's id.
    pub mid: Mid,
    /// That id.
    pub id: u64,
    /// The sender: one peer has one share of an offline queue, whatever the number of its sessions.
    pub from: PeerKey,
    /// The receiver.
    pub to: PeerKey,
    /// The id before it that must have been accepted.
    pub prev: Option<u64>,
    /// Store it even if the peer is said to be attached: repeated publishes reached no one there.
    pub is_urgent: bool,
    /// How long it is kept if the receiver turns out not to be attached after all.
    pub window: Duration,
    /// The envelope.
    pub envelope: Vec<u8>,
}

/// The outcome of storing a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// No such session.
    Offline,
    /// The peer is attached; publish again.
    Attached,
    /// It is in the offline queue, at most this long.
    Queued(Duration),
    /// The peer had it before it was detached.
    Delivered,
    /// A later message of the same sender was accepted and this one never was.
    Late,
    /// A message before it is missing.
    Gap,
    /// The offline queue is full.
    Full,
}
