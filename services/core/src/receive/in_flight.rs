//! Messages that left the send queue and are not done, and what the queue leaves behind. Plain data.

use switchboard_protocol::Mid;

use super::delivery::AckTo;
use crate::session::snapshot::SessionSnapshot;

/// A message that was taken for the socket and is not done.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(super) seq: u64,
    pub(crate) mid: Mid,
    pub(crate) ack: AckTo,
    pub(super) bytes: usize,
    pub(super) is_stored: bool,
    /// Whether it was sent to a room: the duplicate filter does not know it.
    pub(super) is_of_room: bool,
}

/// Messages of the offline queue on their way to the client.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredBatch {
    /// Messages of the batch that are not done.
    pub(crate) open: usize,
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// What a send queue leaves behind when its connection is gone.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    pub(crate) snapshot: SessionSnapshot,
    /// Messages that were accepted and are not done; their senders must transmit them again.
    pub(crate) undone: Vec<(Mid, AckTo)>,
    /// Messages to rooms that were not done. Nobody transmits them again.
    pub(crate) lost_room_messages: usize,
}
