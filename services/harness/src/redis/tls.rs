//! TLS of Redis servers: their certificate and that of their clients, of an authority made for the test.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use crate::{Authority, authority::Certificate};

/// The certificates of the servers of one deployment, and of their clients. Clones share them.
#[derive(Debug, Clone)]
pub struct RedisTls {
    authority: Arc<Authority>,
    server: Certificate,
    client: Certificate,
    wants_client_certificate: bool,
}

impl RedisTls {
    /// Servers that show their certificate and ask for none.
    ///
    /// # Errors
    /// When the certificates cannot be written.
    pub fn new() -> anyhow::Result<Self> {
        Self::named(&["127.0.0.1", "localhost"])
    }

    fn named(names: &[&str]) -> anyhow::Result<Self> {
        let authority = Authority::new("redis-authority")?;
        Ok(Self {
            server: authority.issue("redis", names)?,
            client: authority.issue("client", &["switchboard"])?,
            authority: Arc::new(authority),
            wants_client_certificate: false,
        })
    }

    /// Servers that take only clients with a certificate of the authority.
    ///
    /// # Errors
    /// As [`RedisTls::new`].
    pub fn mutual() -> anyhow::Result<Self> {
        Ok(Self {
            wants_client_certificate: true,
            ..Self::new()?
        })
    }

    /// As [`RedisTls::mutual`], with these names and addresses in the certificate of the servers, and no others.
    ///
    /// # Errors
    /// As [`RedisTls::new`].
    pub fn mutual_named(names: &[&str]) -> anyhow::Result<Self> {
        Ok(Self {
            wants_client_certificate: true,
            ..Self::named(names)?
        })
    }

    /// The authority, to issue other certificates.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The certificate of the authority that clients trust.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }

    /// The certificate that clients show, if the servers want one.
    #[must_use]
    pub fn client(&self) -> Option<&Certificate> {
        self.wants_client_certificate.then_some(&self.client)
    }

    /// The arguments of a server that serves TLS on `port`; it talks to other servers with TLS too.
    pub(super) fn arguments(&self, port: u16) -> Vec<OsString> {
        let clients = if self.wants_client_certificate {
            "yes"
        } else {
            "no"
        };
        vec![
            "--tls-port".into(),
            port.to_string().into(),
            "--tls-cert-file".into(),
            self.server.certificate.clone().into(),
            "--tls-key-file".into(),
            self.server.key.clone().into(),
            "--tls-ca-cert-file".into(),
            self.ca_file().into(),
            "--tls-auth-clients".into(),
            clients.into(),
            "--tls-replication".into(),
            "yes".into(),
        ]
    }
}
