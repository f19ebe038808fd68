//! Log lines: one JSON object a line for machines, or text for people, on standard error. What is logged is
//! decided where the telemetry's methods are.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Telemetry that cannot be set up or written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TelemetryError(String);

impl TelemetryError {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

/// Begins to write log lines; once per process.
///
/// # Errors
/// [`TelemetryError`] when `filter` is not in the form of `EnvFilter`, or logging was set up before.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::new(format!("log_filter `{filter}` is not understood: {error}")))?;
    let registry = tracing_subscriber::registry().with(filter);
    let outcome = match format {
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        LogFormat::Text => registry
            .with(fmt::layer().with_writer(std::io::stderr))
            .try_init(),
    };
    outcome.map_err(|error| TelemetryError::new(format!("logging cannot be set up: {error}")))
}
