//! Where traces go: an OTLP collector over gRPC, in batches, from a bounded queue. A collector that cannot
//! be reached costs spans, nothing else.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};

use crate::TelemetryError;

/// Spans that wait for the collector; what comes beyond is dropped and counted by the library's log.
const QUEUED_SPANS: usize = 4096;

/// Where traces go, and how many.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpConfig {
    /// The collector, e.g. `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// `service.instance.id`: the node's name.
    pub service_instance: String,
    /// The share of traces begun here that are kept, from 0 to 1.
    pub sample_ratio: f64,
}

/// A provider that exports to the collector. Must be called inside a tokio runtime.
pub(crate) fn provider(config: &OtlpConfig) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&config.endpoint)
        .build()
        .map_err(|error| {
            TelemetryError::new(format!(
                "otlp_endpoint {} cannot be used: {error}",
                config.endpoint
            ))
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
            BatchSpanProcessor::builder(exporter)
                .with_batch_config(batch)
                .build(),
        )
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            config.sample_ratio,
        ))))
        .with_resource(resource)
        .build())
}
