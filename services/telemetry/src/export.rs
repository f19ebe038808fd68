//! The exporter of spans, with the two things that an operator needs of it: a metric for each batch that the collector did
//! not take, and one log line when that begins and when it ends. Not the export itself (`otlp`).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_otlp::SpanExporter as Inner;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use prometheus::IntCounter;

#[derive(Debug)]
pub(crate) struct WatchedExporter {
    inner: Inner,
    failures: IntCounter,
    is_failing: AtomicBool,
}

impl WatchedExporter {
    pub(crate) fn new(inner: Inner, failures: IntCounter) -> Self {
        Self {
            inner,
            failures,
            is_failing: AtomicBool::new(false),
        }
    }
}

impl SpanExporter for WatchedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.inner.export(batch).await;
        let was_failing = self.is_failing.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Ok(()) if was_failing => tracing::info!("the collector takes traces again"),
            Ok(()) => {}
            Err(error) => {
                self.failures.inc();
                if !was_failing {
                    tracing::warn!(%error, "the collector does not take traces; they are lost until it does");
                }
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
