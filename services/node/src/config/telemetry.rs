//! `[telemetry]`: logs and traces.

use axum::http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchboard_protocol::NodeId;
use switchboard_telemetry::{OtlpConfig, check_filter};

use super::{check::in_range, error::ConfigError, section::section};

/// The form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Text,
}

section! {
    /// `[telemetry]`.
    TelemetrySection {
        /// The OTLP endpoint for traces (gRPC), e.g. `http://collector:4317`; empty: none.
        otlp_endpoint: String = String::new(),
        /// The share of messages that are traced, from 0 to 1.
        trace_sample_ratio: f64 = 0.01,
        /// The form of the logs.
        log_format: LogFormat = LogFormat::Json,
        /// Which events are logged, in the form of `tracing_subscriber::EnvFilter`.
        log_filter: String = "info".into(),
    }
}

impl TelemetrySection {
    pub(super) fn check(self) -> Result<Self, ConfigError> {
        in_range("telemetry.trace_sample_ratio", self.trace_sample_ratio, 0.0, 1.0)?;
        check_filter(&self.log_filter)
            .map_err(|error| ConfigError::new("telemetry.log_filter", error.to_string()))?;
        self.check_endpoint()?;
        Ok(self)
    }

    fn check_endpoint(&self) -> Result<(), ConfigError> {
        let endpoint = &self.otlp_endpoint;
        let refused = |why: &str| {
            let problem = format!("`{endpoint}` {why}; write `http://collector:4317`");
            Err(ConfigError::new("telemetry.otlp_endpoint", problem))
        };
        if endpoint.is_empty() {
            return Ok(());
        }
        let Ok(url) = endpoint.parse::<Uri>() else {
            return refused("is not a URL");
        };
        match (url.scheme_str(), url.host()) {
            (Some("http"), Some(host)) if !host.is_empty() => Ok(()),
            (Some("https"), _) => {
                refused("needs TLS, which is not supported; run a collector next to the node")
            }
            _ => refused("must begin with http:// and name a host (gRPC)"),
        }
    }

    /// Where traces go, if a collector is set.
    pub(super) fn otlp(&self, node: &NodeId) -> Option<OtlpConfig> {
        (!self.otlp_endpoint.is_empty()).then(|| OtlpConfig {
            endpoint: self.otlp_endpoint.clone(),
            service_instance: node.to_string(),
            sample_ratio: self.trace_sample_ratio,
        })
    }
}
