//! Export of traces to an OTLP collector over gRPC, in batches from a bounded queue. An unreachable collector loses
//! spans and has no other effect.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};

use prometheus::IntCounter;

use crate::{TelemetryError, export::WatchedExporter};

/// Spans that wait for the collector. The library drops and logs spans beyond this number.
const QUEUED_SPANS: usize = 4096;

/// How long the collector may take for one batch.
const EXPORT_TIME: Duration = Duration::from_secs(3);

/// Where traces go, and which share of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpConfig {
    /// The collector, e.g. `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// `service.instance.id`: the node's name.
    pub service_instance: String,
    /// The share of traces that the node samples, from 0 to 1.
    pub sample_ratio: f64,
}

/// A provider that exports to the collector. Call it inside a tokio runtime.
pub(crate) fn provider(
    config: &OtlpConfig,
    failures: IntCounter,
) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&config.endpoint)
        .with_timeout(EXPORT_TIME)
        .build()
        .map_err(|error| {
            TelemetryError::new(format!("otlp_endpoint {} is not valid: {error}", config.endpoint))
        })?;
    let batch = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUED_SPANS)
        .build();
    let resource = Resource::builder()
        .with_service_name("switchboard")
        .with_attribute(KeyValue::new(
            "service.instance.id",
            config.service_instance.clone(),
        ))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(
            BatchSpanProcessor::builder(WatchedExporter::new(exporter, failures))
                .with_batch_config(batch)
                .build(),
        )
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            config.sample_ratio,
        ))))
        .with_resource(resource)
        .build())
}
