//! `[demo]`: the demo page, for development only.

use std::net::SocketAddr;

use switchboard_protocol::Secret;

use super::{error::ConfigError, section::section};

section! {
    /// `[demo]`.
    DemoSection {
        /// Serve the demo page, and give a token to every client that asks. Only on a loopback address.
        enabled: bool = false,
    }
}

impl DemoSection {
    /// The secret that signs the tokens of the page, if the page is enabled.
    pub(super) fn check(
        &self,
        listen: SocketAddr,
        secret: Option<&Secret>,
    ) -> Result<Option<Secret>, ConfigError> {
        if !self.enabled {
            return Ok(None);
        }
        if !listen.ip().is_loopback() {
            let problem =
                "gives a token to every client that asks, so server.listen must be a loopback address";
            return Err(ConfigError::new("demo.enabled", problem));
        }
        let problem = "needs auth.hs256_secret to sign its tokens";
        secret
            .cloned()
            .map(Some)
            .ok_or_else(|| ConfigError::new("demo.enabled", problem))
    }
}
