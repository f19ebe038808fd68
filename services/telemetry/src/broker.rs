//! Events between a node and its bus.

use std::time::Duration;

use crate::{BusDrop, BusRebuild, Coalesced, RedisOp, Telemetry};

impl Telemetry {
    /// A Redis command ended after this time.
    pub fn redis_command(&self, op: RedisOp, took: Duration, ok: bool) {
        self.metrics.redis_seconds[op.index()].observe(took.as_secs_f64());
        if !ok {
            self.metrics.redis_errors[op.index()].inc();
            tracing::debug!(op = op.as_str(), "a Redis command failed");
        }
    }

    /// A pipeline carried this many commands.
    pub fn publish_batch(&self, count: usize) {
        self.metrics.publish_batch.observe(count as f64);
    }

    /// The node received its own probe this long after publishing it.
    pub fn bus_probe_seconds(&self, took: Duration) {
        self.metrics.bus_probe_seconds.observe(took.as_secs_f64());
    }

    /// The node did not receive its probe in time.
    pub fn bus_probe_missed(&self) {
        self.metrics.bus_probes_missed.inc();
        tracing::debug!("the node did not receive its own probe");
    }

    /// The node rebuilds its pub/sub connection.
    pub fn bus_rebuilt(&self, reason: BusRebuild) {
        self.metrics.bus_rebuilds[reason.index()].inc();
        tracing::debug!(reason = reason.as_str(), "rebuilding the pub/sub connection");
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

    /// Whether Redis uses more memory than its watermark, so that nothing is stored.
    pub fn redis_memory_short(&self, is_short: bool) {
        self.metrics.redis_memory_short.set(i64::from(is_short));
    }

    /// How many channels are desired, and how many are confirmed.
    pub fn subscriptions(&self, desired: i64, confirmed: i64) {
        self.metrics.subscriptions_desired.set(desired);
        self.metrics.subscriptions_confirmed.set(confirmed);
    }

    /// The node's lease was renewed at this time, in seconds since the Unix epoch.
    pub fn lease_renewed(&self, at_s: u64) {
        self.metrics
            .lease_renewed
            .set(i64::try_from(at_s).unwrap_or(i64::MAX));
    }

    /// Whether the node receives the messages that it publishes.
    pub fn bus_up(&self, is_up: bool) {
        self.metrics.bus_up.set(i64::from(is_up));
    }
}
