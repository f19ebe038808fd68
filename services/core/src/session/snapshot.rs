//! What outlives a connection of a session. Plain data on its way from one node to the next through the shared
//! record; the broker writes and reads it.

use switchboard_protocol::SessionId;

use crate::receive::accepted_ranges::{AcceptedRanges, MAX_RANGES};

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

/// Bytes of a snapshot in the shared record, at most. Redis has one thread, and every claim reads the whole record.
pub const SNAPSHOT_BYTES: usize = 64 * 1024;

/// One entry of the tail in the record.
const UNACKED_BYTES: usize = 28;

/// One sender in the record without its ranges: its name, how far it is done, what the hash costs.
const SENDER_BYTES: usize = 80;

/// One range in the record.
const RANGE_BYTES: usize = 42;

impl SessionSnapshot {
    /// Its bytes in the shared record.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let accepted = self.accepted.iter();
        let ranges: usize = accepted.map(|(_, accepted)| accepted.ranges.len()).sum();
        self.tail.len() * UNACKED_BYTES + self.accepted.len() * SENDER_BYTES + ranges * RANGE_BYTES
    }

    /// Makes it fit into [`SNAPSHOT_BYTES`]. First the oldest ranges of each sender go, so an id in them counts as
    /// given up: it is late, and never delivered again. Then the newest entries of the tail, then the senders that
    /// were silent for longest: what their clients repeat after that may arrive twice, with the same `mid`.
    /// `accepted` has the most recent senders first.
    pub(crate) fn shorten(&mut self) {
        let mut keep = MAX_RANGES;
        while self.bytes() > SNAPSHOT_BYTES && keep > 1 {
            keep /= 2;
            for (_, accepted) in &mut self.accepted {
                let dropped = accepted.ranges.len().saturating_sub(keep);
                accepted.ranges.drain(..dropped);
            }
        }
        self.tail.truncate(SNAPSHOT_BYTES / 2 / UNACKED_BYTES);
        while self.bytes() > SNAPSHOT_BYTES && self.accepted.pop().is_some() {}
    }
}
