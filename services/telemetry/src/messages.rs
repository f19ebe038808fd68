//! What happens to messages. On the hot path: a counter by index, a log line only at level trace.

use std::time::Duration;

use switchboard_protocol::{MessageKind, SendOutcome};

use crate::{Path, Queue, Telemetry};

impl Telemetry {
    /// A client sent a message in a frame of that size.
    pub fn message_in(&self, kind: MessageKind, bytes: usize) {
        self.metrics.messages_in[usize::from(kind.code())].inc();
        self.metrics.bytes_in.inc_by(bytes as u64);
    }

    /// A frame of that size was written to a client.
    pub fn message_out(&self, bytes: usize) {
        self.metrics.frames_out.inc();
        self.metrics.bytes_out.inc_by(bytes as u64);
    }

    /// A send ended.
    pub fn send_ended(&self, kind: MessageKind, path: Path, outcome: SendOutcome) {
        let index = (usize::from(kind.code()) * Path::ALL.len() + path.index()) * SendOutcome::COUNT
            + outcome.index();
        self.metrics.messages[index].inc();
        tracing::trace!(
            kind = kind.as_str(),
            path = path.as_str(),
            ?outcome,
            "a send ended"
        );
    }

    /// A send was delivered this long after it was taken.
    pub fn delivery_seconds(&self, path: Path, took: Duration) {
        self.metrics.delivery_seconds[path.index()].observe(took.as_secs_f64());
    }

    /// The number of sends without a final word changed.
    pub fn pending_sends(&self, change: i64) {
        self.metrics.pending.add(change);
    }

    /// Sends were handed on again.
    pub fn retransmitted(&self, count: u64) {
        self.metrics.retransmissions.inc_by(count);
    }

    /// A repeated envelope was not delivered again.
    pub fn duplicate_dropped(&self) {
        self.metrics.duplicates.inc();
    }

    /// An envelope came before the one that precedes it.
    pub fn gap_seen(&self) {
        self.metrics.gaps.inc();
    }

    /// So many payload bytes are on their way to clients of this node.
    pub fn send_queue_bytes(&self, bytes: usize) {
        self.metrics
            .send_queue_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A send waits in the mailbox of a detached peer.
    pub fn message_queued(&self) {
        self.metrics.queued.inc();
    }

    /// So many messages out of such a mailbox have reached their peer.
    pub fn stored_delivered(&self, count: usize) {
        self.metrics.mail.inc_by(count as u64);
    }

    /// A bounded queue had no room.
    pub fn queue_overflow(&self, queue: Queue) {
        self.metrics.overflows[queue.index()].inc();
        tracing::debug!(queue = queue.as_str(), "a bounded queue had no room");
    }

    /// So many acknowledgements left in one publish.
    pub fn ack_batch(&self, count: usize) {
        self.metrics.ack_batch.observe(count as f64);
    }
}
