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
    runtime::run(async {
        let hangups = hangups()?;
        let settings = config::settings(serve.config.as_deref())?;
        check_keys(&settings)?;
        node(settings, hangups, |_| Ok(())).await
    })
}

/// Reads the keys once before any port opens, so that a bad one is an error of the configuration.
pub(super) fn check_keys(settings: &Settings) -> Result<(), ConfigError> {
    Verifier::new(settings.auth.clone()).map_err(|error| ConfigError::new(error.key, error.problem))?;
    IceServers::new(settings.ice.clone()).map_err(|error| ConfigError::new("ice", error.to_string()))?;
    Ok(())
}

/// Runs a node until a signal. `started` is called with the bound node, before it accepts a client.
pub(super) async fn node(
    settings: Settings,
    hangups: Signal,
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
    let (stop, hangup) = (Notify::new(), Notify::new());
    tokio::select! {
        report = node.run(stop.notified(), &hangup) => report.map(|_| ()),
        never = forward(hangups, &hangup) => match never {},
        never = signals.handle(&stop) => match never {},
    }
}

/// SIGHUP from now on. Registering it replaces its default action, which ends the process, so this comes first.
pub(super) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Several signals before the node has read its files count as one.
async fn forward(mut hangups: Signal, hangup: &Notify) -> Infallible {
    loop {
        hangups.recv().await;
        hangup.notify_one();
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
