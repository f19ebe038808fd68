//! `[server]`: the ports, and which clients may use the public one. Its bounds are in `[limits]`.

use std::{net::SocketAddr, time::Duration};

use switchboard_edge::EdgeConfig;

use super::{check::in_range, error::ConfigError, limits::LimitsSection, section::section};

section! {
    /// `[server]`.
    ServerSection {
        /// Address of the public port.
        listen: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 8080)),
        /// Address of the operations port; other machines reach it only where this is not a loopback address.
        ops_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9090)),
        /// Origins whose pages may connect; `*` allows all. The node's own host is always allowed.
        allowed_origins: Vec<String> = Vec::new(),
        /// Whether a token may be in the query, as EventSource needs it.
        accept_query_token: bool = true,
        /// How long a client may take to send the head of a request, in milliseconds.
        handshake_timeout_ms: u64 = 10_000,
    }
}

impl ServerSection {
    pub(super) fn check(&self, limits: &LimitsSection) -> Result<EdgeConfig, ConfigError> {
        let timeout_ms = self.handshake_timeout_ms;
        in_range("server.handshake_timeout_ms", timeout_ms, 100, 120_000)?;
        limits.check_admission()?;
        for origin in &self.allowed_origins {
            if origin != "*" && (!origin.contains("://") || origin.ends_with('/')) {
                let problem =
                    format!("`{origin}` is not an origin; write scheme and host as in `https://app.example`");
                return Err(ConfigError::new("server.allowed_origins", problem));
            }
        }
        Ok(EdgeConfig {
            allowed_origins: self.allowed_origins.clone(),
            accept_query_token: self.accept_query_token,
            max_connections: limits.connections,
            max_handshakes: limits.handshakes,
            connects_per_second: limits.connects_per_second,
            handshake_timeout: Duration::from_millis(timeout_ms),
            ..EdgeConfig::default()
        })
    }
}
