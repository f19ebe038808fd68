//! `[demo]`: the demo page, for development only.

use std::net::SocketAddr;

use switchboard_auth::{AuthConfig, IssuerConfig};

use super::{error::ConfigError, section::section};

section! {
    /// `[demo]`.
    DemoSection {
        /// Serve the demo page, and give a token to every client that asks. Only on a loopback address.
        enabled: bool = false,
    }
}

impl DemoSection {
    /// Whether the page is enabled. It needs a secret that signs its tokens.
    pub(super) fn check(&self, listen: SocketAddr, auth: &AuthConfig) -> Result<bool, ConfigError> {
        if !self.enabled {
            return Ok(false);
        }
        if !listen.ip().is_loopback() {
            let problem =
                "gives a token to every client that asks, so server.listen must be a loopback address";
            return Err(ConfigError::new("demo.enabled", problem));
        }
        let problem = "needs auth.hs256_secret to sign its tokens";
        match auth.issuers.iter().any(IssuerConfig::has_secrets) {
            true => Ok(true),
            false => Err(ConfigError::new("demo.enabled", problem)),
        }
    }
}
