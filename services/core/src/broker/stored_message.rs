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
    /// How long it is kept for a receiver without a session.
    pub hold: Option<Hold>,
    /// Whether it was not stored before: somebody may have to wake the receiver up.
    pub is_first: bool,
    /// The envelope.
    pub envelope: Vec<u8>,
}

/// A message is held for a receiver that has no session, or one that ends earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// How long, from now.
    pub time: Duration,
    /// Bytes that the sender's tenant may hold, on all nodes together; 0: no bound.
    pub tenant_bytes: usize,
}

/// The outcome of storing a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// No such session.
    Offline,
    /// The peer is attached; publish again.
    Attached,
    /// It is in the offline queue.
    Queued {
        /// For at most this long.
        kept_for: Duration,
        /// The receiver is to be woken up; at most once a second for each receiver.
        wakes: bool,
    },
    /// The peer had it before it was detached.
    Delivered,
    /// A later message of the same sender was accepted and this one never was.
    Late,
    /// A message before it is missing.
    Gap,
    /// The offline queue is full.
    Full,
    /// The sender's tenant holds as much as it may.
    TenantFull,
}
