//! The format of log lines on standard error: one JSON object per line, or text for people. Not here: the events.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
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

/// Checks a filter of log lines.
///
/// # Errors
/// [`TelemetryError`] when it is not a valid `EnvFilter`.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|error| {
        TelemetryError::new(format!(
            "`{filter}` is not valid: {error}; write `info` or `switchboard_broker=debug,info`"
        ))
    })
}

/// Starts writing log lines. Call it once per process.
///
/// # Errors
/// [`TelemetryError`] when `filter` is not a valid `EnvFilter`, or logging was set up before.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = parse(filter)?;
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
