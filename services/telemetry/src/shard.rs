//! Events between a node and one Redis server of its bus. Not those that concern no server (`broker`), and not the series
//! (`shard_series`).

use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{BusRebuild, RedisOp, Telemetry, shard_series::SeriesOfShard};

/// The telemetry of one Redis server; also the node's, for all events without a server. Cheap to clone.
#[derive(Clone)]
pub struct ShardTelemetry {
    telemetry: Telemetry,
    series: Arc<SeriesOfShard>,
}

impl Deref for ShardTelemetry {
    type Target = Telemetry;

    fn deref(&self) -> &Telemetry {
        &self.telemetry
    }
}

impl Telemetry {
    /// The telemetry of the Redis server `shard`, as `host:port`. All of one server share their series; the gauges are those of
    /// the last that came.
    #[must_use]
    pub fn of_shard(&self, shard: &str) -> ShardTelemetry {
        ShardTelemetry {
            telemetry: self.clone(),
            series: Arc::new(SeriesOfShard::new(&self.metrics.shards, shard)),
        }
    }
}

impl ShardTelemetry {
    /// Another server has taken the place of this one, and is not connected yet: from now on, its series count. Those of the old
    /// server end with their last user.
    pub fn moved_to(&self, shard: &str) {
        self.series.move_to(&self.metrics.shards, shard);
    }

    /// The shard is no longer used. Its series end, unless another one has the same server.
    pub fn end(&self) {
        self.series.end();
    }

    /// A Redis command ended after this time.
    pub fn redis_command(&self, op: RedisOp, took: Duration, ok: bool) {
        self.metrics.redis_seconds[op.index()].observe(took.as_secs_f64());
        if !ok {
            self.series.note(|series| series.errors[op.index()].inc());
            tracing::debug!(op = op.as_str(), "a Redis command failed");
        }
    }

    /// The node received its own probe this long after publishing it.
    pub fn bus_probe_seconds(&self, took: Duration) {
        self.series
            .note(|series| series.probe_seconds.observe(took.as_secs_f64()));
    }

    /// The node did not receive its probe in time.
    pub fn bus_probe_missed(&self) {
        self.series.note(|series| series.probes_missed.inc());
        tracing::debug!("the node did not receive its own probe");
    }

    /// The node rebuilds its pub/sub connection.
    pub fn bus_rebuilt(&self, reason: BusRebuild) {
        self.series.note(|series| series.rebuilds[reason.index()].inc());
        tracing::debug!(reason = reason.as_str(), "rebuilding the pub/sub connection");
    }

    /// Whether the server uses more memory than its watermark, so that nothing is stored.
    pub fn redis_memory_short(&self, is_short: bool) {
        self.series
            .set(|series| &series.memory_short, i64::from(is_short));
    }

    /// Whether the server may throw away keys that are in use.
    pub fn redis_may_evict(&self, may_evict: bool) {
        self.series.set(|series| &series.may_evict, i64::from(may_evict));
    }

    /// The server has lost something of this node although the connections stayed.
    pub fn redis_lost_records(&self) {
        self.series.note(|series| series.losses.inc());
        tracing::debug!("Redis has lost records of the node");
    }

    /// How many channels are desired, and how many are confirmed.
    pub fn subscriptions(&self, desired: i64, confirmed: i64) {
        self.series.set(|series| &series.desired, desired);
        self.series.set(|series| &series.confirmed, confirmed);
    }

    /// The node's lease was renewed at this time, in seconds since the Unix epoch.
    pub fn lease_renewed(&self, at_s: u64) {
        let at_s = i64::try_from(at_s).unwrap_or(i64::MAX);
        self.series.set(|series| &series.lease_renewed, at_s);
    }

    /// Whether the node receives the messages that it publishes.
    pub fn bus_up(&self, is_up: bool) {
        self.series.set(|series| &series.bus_up, i64::from(is_up));
    }
}
