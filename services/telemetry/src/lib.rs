//! What a node says about itself: metrics, logs, traces. The only crate that names a metric. Others call
//! one typed method per thing that happens; the counter and the log line leave together.
//!
//! Nothing here is keyed by peer or room: the number of series does not grow with the number of users.
//! Methods on the way of a message find their counter by index, never by label look-up.

mod broker;
mod catalogue;
mod connections;
mod labels;
mod logging;
mod message_spans;
mod messages;
mod metrics;
mod otlp;
mod process;
mod spans;

use std::sync::Arc;

pub use catalogue::{CATALOGUE, Kind, Metric};
pub use connections::{ConnectionGuard, SessionGuard};
pub use labels::{BusRebuild, Goaway, Path, Queue, RedisOp, RefusalReason, Resume, Transport};
pub use logging::{LogFormat, TelemetryError, init_logging};
pub use otlp::OtlpConfig;
pub use spans::MessageSpan;

use metrics::Metrics;
use spans::Traces;

/// A node's telemetry. Cheap to clone; two nodes in one process have one each.
#[derive(Clone)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    traces: Option<Arc<Traces>>,
    node: Arc<str>,
}

impl Telemetry {
    /// Telemetry of the node of that name.
    ///
    /// # Panics
    /// Never: names and labels come from the catalogue, whose validity a test holds.
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

    /// The same, with traces sent to a collector. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`TelemetryError`] when the endpoint is no address. A collector that is down is no error.
    pub fn traced(node: &str, otlp: &OtlpConfig) -> Result<Self, TelemetryError> {
        let telemetry = Self::new(node);
        let traces = Traces::new(otlp::provider(otlp)?, Arc::clone(&telemetry.node));
        Ok(Self {
            traces: Some(Arc::new(traces)),
            ..telemetry
        })
    }

    /// Exports the spans that wait, for a few seconds at most. Nothing is traced afterwards.
    pub async fn shutdown_traces(&self) {
        if let Some(traces) = self.traces.clone() {
            // The library blocks until the collector answered.
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

    /// The node is draining, or not.
    pub fn draining(&self, is_draining: bool) {
        self.metrics.draining.set(i64::from(is_draining));
    }

    /// One client was told to go.
    pub fn goaway_sent(&self, why: Goaway) {
        self.metrics.goaways[why.index()].inc();
    }

    /// Connections of a node of the cluster, on average; `None` while the node does not know.
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
