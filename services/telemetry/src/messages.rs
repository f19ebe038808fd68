//! Events of messages. They are on the hot path, so each finds its counter by index and logs only at level trace.

use std::time::Duration;

use switchboard_protocol::{MessageKind, SendOutcome};

use crate::{Budget, BudgetScope, MemoryShed, Path, Queue, Telemetry};

impl Telemetry {
    /// A client sent a message in a frame of this size.
    pub fn message_in(&self, kind: MessageKind, bytes: usize) {
        self.metrics.messages_in[usize::from(kind.code())].inc();
        self.metrics.bytes_in.inc_by(bytes as u64);
    }

    /// A frame of this size was written to a client.
    pub fn message_out(&self, bytes: usize) {
        self.metrics.frames_out.inc();
        self.metrics.bytes_out.inc_by(bytes as u64);
    }

    /// A send has its outcome.
    pub fn send_ended(&self, kind: MessageKind, path: Path, outcome: SendOutcome) {
        let index = (usize::from(kind.code()) * Path::ALL.len() + path.index()) * SendOutcome::COUNT
            + outcome.index();
        self.metrics.messages[index].inc();
        tracing::trace!(kind = kind.as_str(), path = path.as_str(), ?outcome, "send ended");
    }

    /// A send was delivered this long after the node accepted it.
    pub fn delivery_seconds(&self, path: Path, took: Duration) {
        self.metrics.delivery_seconds[path.index()].observe(took.as_secs_f64());
    }

    /// The number of sends without an outcome changed.
    pub fn pending_sends(&self, change: i64) {
        self.metrics.pending.add(change);
    }

    /// Connections of the node watch so many peers.
    pub fn watches(&self, count: i64) {
        self.metrics.watches.set(count);
    }

    /// A watched peer changed, and so many watchers were informed or will be.
    pub fn presence_changes(&self, watchers: usize) {
        self.metrics.presence_changes.inc_by(watchers as u64);
    }

    /// Sends were transmitted again.
    pub fn retransmitted(&self, count: u64) {
        self.metrics.retransmissions.inc_by(count);
    }

    /// A repeated envelope was not delivered again.
    pub fn duplicate_dropped(&self) {
        self.metrics.duplicates.inc();
    }

    /// An envelope arrived before an earlier one of the same sender.
    pub fn order_gap(&self) {
        self.metrics.gaps.inc();
    }

    /// The payload bytes accepted for clients of this node and not delivered yet.
    pub fn send_queue_bytes(&self, bytes: usize) {
        self.metrics
            .send_queue_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A send was stored in the offline queue of a detached peer.
    pub fn message_queued(&self) {
        self.metrics.queued.inc();
    }

    /// This many stored messages were delivered from an offline queue.
    pub fn stored_delivered(&self, count: usize) {
        self.metrics.offline_queue_delivered.inc_by(count as u64);
    }

    /// A bounded queue had no room.
    pub fn queue_overflow(&self, queue: Queue) {
        self.metrics.overflows[queue.index()].inc();
        tracing::debug!(queue = queue.as_str(), "bounded queue had no room");
    }

    /// A send, a connection or a watch was refused: that budget is used up.
    pub fn budget_refused(&self, budget: Budget, scope: BudgetScope) {
        self.metrics.budget_refusals[budget.index() * BudgetScope::ALL.len() + scope.index()].inc();
        tracing::debug!(budget = budget.as_str(), scope = scope.as_str(), "budget used up");
    }

    /// The resident memory that the node may use; 0: no limit.
    pub fn memory_limit(&self, bytes: u64) {
        self.metrics
            .memory_limit
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How scarce memory is: 0 to 2, as the metric's help says.
    pub fn memory_pressure(&self, level: i64) {
        self.metrics.memory_pressure.set(level);
    }

    /// Sends were ended, or connections closed, to stay within the memory.
    pub fn memory_shed(&self, what: MemoryShed, count: usize) {
        self.metrics.memory_shed[what.index()].inc_by(count as u64);
    }

    /// A PUBLISH command carried this many acknowledgements.
    pub fn ack_batch(&self, count: usize) {
        self.metrics.ack_batch.observe(count as f64);
    }
}
