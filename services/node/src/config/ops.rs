//! `[ops]`: who may use the operations port. Its address is `server.ops_listen`.

use std::path::PathBuf;

use switchboard_protocol::Secret;

use super::{check, error::ConfigError, port_tls::PortTlsSection, section::section};
use crate::ops::OpsAccess;

/// The shortest token accepted, in bytes.
const MIN_TOKEN_BYTES: usize = 16;

section! {
    /// `[ops]`.
    OpsSection {
        /// The token that every POST needs, and so do /status and the list of dead events of webhooks; empty: they are refused.
        #[schemars(with = "String")]
        token: Secret = Secret::default(),
        /// A file that holds that token.
        token_file: Option<PathBuf> = None,
        /// Host names with a dot under which the port may be asked. Addresses and names without a dot always may.
        allowed_hosts: Vec<String> = Vec::new(),
        /// TLS of the port.
        tls: PortTlsSection = PortTlsSection::default(),
    }
}

impl OpsSection {
    pub(crate) fn check(&self) -> Result<OpsAccess, ConfigError> {
        let token = check::secret("ops.token", &self.token, self.token_file.as_deref())?;
        if let Some(token) = &token
            && token.expose().len() < MIN_TOKEN_BYTES
        {
            let problem = format!(
                "has {} bytes, at least {MIN_TOKEN_BYTES} are needed; make one with `openssl rand -hex 32`",
                token.expose().len()
            );
            return Err(ConfigError::new("ops.token", problem));
        }
        for host in &self.allowed_hosts {
            if host.is_empty() || host.contains(['/', ':', '*', ' ']) {
                let problem =
                    format!("`{host}` is not a host name; write `node.example`, without scheme and port");
                return Err(ConfigError::new("ops.allowed_hosts", problem));
            }
        }
        Ok(OpsAccess {
            token,
            allowed_hosts: self.allowed_hosts.clone(),
        })
    }
}
