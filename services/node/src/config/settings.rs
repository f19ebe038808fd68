//! Checked configuration, in the form that each part of the node takes. All errors of the configuration are found
//! here, before any port opens.

use std::net::SocketAddr;

use switchboard_auth::{AuthConfig, IceConfig};
use switchboard_core::Limits;
use switchboard_edge::{EdgeConfig, RebalancePlan, TlsSettings};
use switchboard_protocol::NodeId;
use switchboard_telemetry::OtlpConfig;
use switchboard_webhooks::WebhooksConfig;

use super::{
    broker::BrokerSettings, drain::DrainSettings, error::ConfigError, keys::Config,
    secret_files::SecretFiles, telemetry::TelemetrySection,
};
use crate::ops::OpsAccess;

/// Everything a node needs, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The node's name.
    pub node: NodeId,
    /// Address of the public port.
    pub listen: SocketAddr,
    /// Address of the backend API's own port, if it has one.
    pub api_listen: Option<SocketAddr>,
    /// Address of the operations port.
    pub ops_listen: SocketAddr,
    /// TLS of the public port, and of that of the backend API unless it has its own.
    pub tls: Option<TlsSettings>,
    /// The backend API's own TLS.
    pub api_tls: Option<TlsSettings>,
    /// TLS of the operations port.
    pub ops_tls: Option<TlsSettings>,
    /// Who may use the operations port.
    pub ops: OpsAccess,
    /// For the token verifier.
    pub auth: AuthConfig,
    /// For the bus.
    pub broker: BrokerSettings,
    /// For `core`.
    pub limits: Limits,
    /// For `edge`.
    pub edge: EdgeConfig,
    /// For ICE servers.
    pub ice: IceConfig,
    /// For the drain.
    pub drain: DrainSettings,
    /// For the balance between nodes.
    pub rebalance: RebalancePlan,
    /// For webhooks, if an endpoint is configured.
    pub webhooks: Option<WebhooksConfig>,
    /// For logs and traces.
    pub telemetry: TelemetrySection,
    /// Whether the demo page is served.
    pub demo: bool,
    /// What a running node reads again.
    pub secret_files: SecretFiles,
}

impl Settings {
    /// Checks `config`.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first key that cannot be used.
    pub fn check(config: Config) -> Result<Self, ConfigError> {
        let auth = config.auth.check(&config.tls)?;
        let ice = config.ice.check()?;
        if config.server.listen == config.server.ops_listen && config.server.listen.port() != 0 {
            let problem = "is the address of server.listen too; the operations port needs one of its own";
            return Err(ConfigError::new("server.ops_listen", problem));
        }
        Ok(Self {
            secret_files: SecretFiles::of(&config),
            node: config.node.check()?,
            listen: config.server.listen,
            api_listen: config.server.api_listen,
            ops_listen: config.server.ops_listen,
            tls: config.server.public_tls()?,
            api_tls: config.server.own_api_tls()?,
            ops_tls: config.ops.tls.check("ops.tls")?,
            ops: config.ops.check()?,
            broker: config.broker.check(config.limits.message_bytes)?,
            limits: config.session.check(&config.limits)?,
            edge: EdgeConfig {
                region_header: config.ice.check_header(&config.server.trusted_proxies)?,
                ..config.server.check(&config.limits)?
            },
            ice,
            drain: config.drain.check()?,
            rebalance: config.rebalance.check()?,
            webhooks: config.webhooks.check(&config.tls)?,
            demo: config.demo.check(config.server.listen, &auth)?,
            auth,
            telemetry: config.telemetry.check()?,
        })
    }

    /// Where traces go, if a collector is set.
    #[must_use]
    pub fn otlp(&self) -> Option<OtlpConfig> {
        self.telemetry.otlp(&self.node)
    }
}
