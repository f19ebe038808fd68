//! Metrics, logs and traces of a node. This is the only crate that names a metric. Other crates call one typed
//! method per event, and that method writes both the metric and the log line.
//!
//! Peers and rooms are never labels, so the number of series does not grow with the number of users. The methods for
//! messages find their counter by index, without a label look-up.

mod activity;
mod broker;
mod catalogue;
mod coalesced;
mod connections;
mod export;
mod labels;
mod logging;
mod message_spans;
mod messages;
mod metrics;
mod otlp;
mod process;
mod register;
mod rooms;
mod shard;
mod shard_series;
mod spans;
mod webhooks;

use std::sync::Arc;

pub use activity::{Activity, ActivityWindow, Totals};
pub use catalogue::{CATALOGUE, Kind, Metric};
pub use coalesced::Coalesced;
pub use connections::{ConnectionGuard, SessionGuard};
pub use labels::{
    Budget, BudgetScope, BusDrop, BusRebuild, Goaway, HttpRefusal, JoinOutcome, MemoryShed, Path, Port,
    Queue, RedisOp, RefusalReason, ReloadOutcome, ReloadPart, ResumeOutcome, RoomDrop, TlsHandshake,
    Transport, WebhookDrop, WebhookOutcome,
};
pub use logging::{LogFormat, TelemetryError, check_filter, init_logging};
pub use otlp::OtlpConfig;
pub use process::resident_bytes;
pub use shard::ShardTelemetry;
pub use spans::MessageSpan;

use metrics::Metrics;
use spans::Traces;

/// The telemetry of one node. Cheap to clone. Each node of a process has its own.
#[derive(Clone)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    traces: Option<Arc<Traces>>,
    node: Arc<str>,
}

impl Telemetry {
    /// The telemetry of the node `node`.
    ///
    /// # Panics
    /// Never: names and labels come from the catalogue, which a test checks.
    #[must_use]
    pub fn new(node: &str) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the catalogue is constant, and a test registers all of it"
        )]
        let metrics = Metrics::register().expect("the catalogue is valid");
        Self {
            metrics: Arc::new(metrics),
            traces: None,
            node: node.into(),
        }
    }

    /// The same, with traces for a collector. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`TelemetryError`] when the endpoint is not an address. An unreachable collector is no error.
    pub fn traced(node: &str, otlp: &OtlpConfig) -> Result<Self, TelemetryError> {
        let telemetry = Self::new(node);
        let failures = telemetry.metrics.trace_export_failures.clone();
        let traces = Traces::new(otlp::provider(otlp, failures)?, Arc::clone(&telemetry.node));
        Ok(Self {
            traces: Some(Arc::new(traces)),
            ..telemetry
        })
    }

    /// Exports the remaining spans, for a second at most. Afterwards nothing is traced.
    pub async fn shutdown_traces(&self) {
        if let Some(traces) = self.traces.clone() {
            // The library blocks until the collector has answered.
            let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        }
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    ///
    /// # Errors
    /// [`TelemetryError`] when a metric cannot be written as text.
    pub fn render(&self) -> Result<String, TelemetryError> {
        self.metrics.process.refresh();
        let families = self.metrics.registry.gather();
        prometheus::TextEncoder::new()
            .encode_to_string(&families)
            .map_err(|error| TelemetryError::new(format!("metrics cannot be written: {error}")))
    }

    /// Whether the node drains.
    pub fn draining(&self, is_draining: bool) {
        self.metrics.draining.set(i64::from(is_draining));
    }

    /// The node asked a client to move.
    pub fn goaway_sent(&self, reason: Goaway) {
        self.metrics.goaways[reason.index()].inc();
    }

    /// The mean number of connections per node; `None` while unknown.
    pub fn cluster_mean(&self, mean: Option<f64>) {
        let mean = mean.unwrap_or(0.0).round() as i64;
        self.metrics.cluster_mean.set(mean);
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
