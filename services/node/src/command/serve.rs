//! `switchboard serve`: a production node.

use switchboard_auth::{IceServers, Verifier};
use switchboard_telemetry::LogFormat;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Node,
    cli::Serve,
    config::{self, ConfigError, Settings},
};

pub(super) fn run(serve: &Serve) -> anyhow::Result<()> {
    let settings = Settings::check(config::load(serve.config.as_deref())?)?;
    check_keys(&settings)?;
    runtime()?.block_on(node(settings, |_| Ok(())))
}

/// Reads the keys once before any port opens, so that a bad one is an error of the configuration.
pub(super) fn check_keys(settings: &Settings) -> Result<(), ConfigError> {
    Verifier::new(settings.auth.clone()).map_err(|error| ConfigError::new("auth", error.to_string()))?;
    IceServers::new(settings.ice.clone()).map_err(|error| ConfigError::new("ice", error.to_string()))?;
    Ok(())
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Runs a node until a signal; `started` is told the bound node, before it accepts anybody.
pub(super) async fn node(
    settings: Settings,
    started: impl FnOnce(&Node) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let format = match settings.telemetry.log_format {
        config::LogFormat::Json => LogFormat::Json,
        config::LogFormat::Text => LogFormat::Text,
    };
    switchboard_telemetry::init_logging(format, &settings.telemetry.log_filter)
        .map_err(|error| ConfigError::new("telemetry", error.to_string()))?;
    let node = Node::bind(settings).await?;
    started(&node)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let report = node
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // A second signal ends the process at once.
            // Owner: the process.
            tokio::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                std::process::exit(1);
            });
        })
        .await;
    report.map(|_| ())
}
