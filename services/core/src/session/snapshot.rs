//! What outlives a connection of a session. Plain data on its way from one node to the next through the shared
//! record; the broker writes and reads it.

use switchboard_protocol::SessionId;

use crate::receive::accepted_ranges::AcceptedRanges;

/// The state of a detached session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSnapshot {
    /// The number of the last event that was written to the client.
    pub last_seq: u64,
    /// Written but not acknowledged by the client (with `acks=client`), by rising number.
    pub tail: Vec<Unacked>,
    /// What the session has accepted from each sender.
    pub accepted: Vec<(SessionId, AcceptedRanges)>,
}

/// One message that was written to the client and that it has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unacked {
    /// Its number.
    pub seq: u64,
    /// The sender's session.
    pub sender: SessionId,
    /// The sender's id.
    pub id: u64,
}
