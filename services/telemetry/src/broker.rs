//! Events between a node and its bus that concern no single Redis server. Those of one server are in `shard`.

use crate::{BusDrop, Coalesced, Telemetry};

impl Telemetry {
    /// A pipeline carried this many commands.
    pub fn publish_batch(&self, count: usize) {
        self.metrics.publish_batch.observe(count as f64);
    }

    /// A message was not sent to a node of an earlier version.
    pub fn node_message_withheld(&self) {
        self.metrics.node_messages_withheld.inc();
        tracing::debug!("a message was not sent to a node of an earlier version");
    }

    /// A message from the bus was dropped. Others can send any number of them, so the log lines are few.
    pub fn bus_message_dropped(&self, reason: BusDrop, why: &dyn std::fmt::Display) {
        static LINES: [Coalesced; BusDrop::ALL.len()] = [const { Coalesced::new() }; BusDrop::ALL.len()];
        self.metrics.bus_dropped[reason.index()].inc();
        LINES[reason.index()].note(|count| {
            let (node, reason) = (&*self.node, reason.as_str());
            tracing::warn!(node, count, reason, %why, "messages from the bus were dropped");
        });
    }
}
