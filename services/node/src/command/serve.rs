//! `switchboard serve`: a production node.

use std::convert::Infallible;

use switchboard_auth::{IceServers, Verifier};
use switchboard_telemetry::LogFormat;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

use super::runtime;
use crate::{
    cli::Serve,
    config::{self, ConfigError, Settings},
    node::Node,
};

pub(super) fn run(serve: &Serve) -> anyhow::Result<()> {
    let settings = config::settings(serve.config.as_deref())?;
    check_keys(&settings)?;
    runtime::run(async {
        // Registering the signal replaces its default action, which ends the process.
        let hangups = signal(SignalKind::hangup())?;
        tokio::select! {
            outcome = node(settings, |_| Ok(())) => outcome,
            never = note_hangups(hangups) => match never {},
        }
    })
}

/// Reads the keys once before any port opens, so that a bad one is an error of the configuration.
pub(super) fn check_keys(settings: &Settings) -> Result<(), ConfigError> {
    Verifier::new(settings.auth.clone()).map_err(|error| ConfigError::new("auth", error.to_string()))?;
    IceServers::new(settings.ice.clone()).map_err(|error| ConfigError::new("ice", error.to_string()))?;
    Ok(())
}

/// Runs a node until a signal. `started` is called with the bound node, before it accepts a client.
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
    let signals = Signals::new()?;
    let stop = Notify::new();
    tokio::select! {
        report = node.run(stop.notified()) => report.map(|_| ()),
        never = signals.handle(&stop) => match never {},
    }
}

/// SIGHUP asks many servers to read their files again. A node reads them at its start, and goes on.
async fn note_hangups(mut hangups: Signal) -> Infallible {
    loop {
        hangups.recv().await;
        tracing::warn!(
            "SIGHUP changes nothing: a node reads its configuration once; restart it for another one"
        );
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The first signal notifies `stop`; a second one does not wait for the drain.
    async fn handle(mut self, stop: &Notify) -> Infallible {
        self.next().await;
        stop.notify_one();
        self.next().await;
        std::process::exit(1)
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
