//! What happens between a node and its bus.

use std::time::Duration;

use crate::{BusRebuild, RedisOp, Telemetry};

impl Telemetry {
    /// A Redis command took this long, and succeeded or not.
    pub fn redis_command(&self, op: RedisOp, took: Duration, ok: bool) {
        self.metrics.redis_seconds[op.index()].observe(took.as_secs_f64());
        if !ok {
            self.metrics.redis_errors[op.index()].inc();
            tracing::debug!(op = op.as_str(), "a Redis command failed");
        }
    }

    /// So many commands left in one pipeline.
    pub fn publish_batch(&self, count: usize) {
        self.metrics.publish_batch.observe(count as f64);
    }

    /// The node heard its own probe this long after publishing it.
    pub fn bus_probe_seconds(&self, took: Duration) {
        self.metrics.bus_probe_seconds.observe(took.as_secs_f64());
    }

    /// A probe was not heard in time.
    pub fn bus_probe_missed(&self) {
        self.metrics.bus_probes_missed.inc();
        tracing::warn!("the node did not hear its own probe");
    }

    /// A pub/sub connection is being built anew.
    pub fn bus_rebuilt(&self, reason: BusRebuild) {
        self.metrics.bus_rebuilds[reason.index()].inc();
        tracing::info!(reason = reason.as_str(), "the pub/sub connection is built anew");
    }

    /// How many channels should be, and are, subscribed.
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

    /// Whether the node hears what it publishes.
    pub fn bus_up(&self, is_up: bool) {
        self.metrics.bus_up.set(i64::from(is_up));
    }
}
