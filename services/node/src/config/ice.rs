//! `[ice]`: the STUN and TURN servers that peers get.

use std::path::PathBuf;

use switchboard_auth::IceConfig;
use switchboard_protocol::Secret;

use super::{check, error::ConfigError, section::section};

section! {
    /// `[ice]`.
    IceSection {
        /// `stun:` URLs.
        stun_urls: Vec<String> = Vec::new(),
        /// `turn:` and `turns:` URLs.
        turn_urls: Vec<String> = Vec::new(),
        /// The secret shared with the TURN servers (coturn: `static-auth-secret`).
        #[schemars(with = "String")]
        turn_secret: Secret = Secret::default(),
        /// A file that holds that secret.
        turn_secret_file: Option<PathBuf> = None,
        /// How long TURN credentials are valid, in seconds.
        turn_ttl_s: u64 = 3_600,
    }
}

impl IceSection {
    pub(super) fn check(&self) -> Result<IceConfig, ConfigError> {
        let file = self.turn_secret_file.as_deref();
        Ok(IceConfig {
            stun_urls: self.stun_urls.clone(),
            turn_urls: self.turn_urls.clone(),
            turn_secret: check::secret("ice.turn_secret", &self.turn_secret, file)?,
            turn_ttl_s: self.turn_ttl_s,
        })
    }
}
