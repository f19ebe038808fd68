//! `[server]`: the ports, and which clients may use the public one. Its bounds are in `[limits]`.

use std::{net::SocketAddr, time::Duration};

use switchboard_edge::{EdgeConfig, Network, Origins, TlsSettings};

use super::{
    check::in_range, error::ConfigError, limits::LimitsSection, port_tls::PortTlsSection, section::section,
};

section! {
    /// `[server]`.
    ServerSection {
        /// Address of the public port.
        listen: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 8080)),
        /// Address of the operations port; other machines reach it only where this is not a loopback address.
        ops_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9090)),
        /// Address of a port for the backend API alone; the public port then does not serve it.
        api_listen: Option<SocketAddr> = None,
        /// Origins whose pages may connect: `https://app.example`, `https://*.app.example`, `http://localhost:*` (any port),
        /// `null`; `*` allows all. The node's own host is always allowed.
        allowed_origins: Vec<String> = Vec::new(),
        /// Networks of proxies whose `Forwarded` or `X-Forwarded-For`, `-Host` and `-Proto` headers are read.
        trusted_proxies: Vec<String> = Vec::new(),
        /// Whether connections from those networks begin with a header of the PROXY protocol, version 1 or 2.
        proxy_protocol: bool = false,
        /// Whether a token may be in the query, as EventSource needs it.
        accept_query_token: bool = true,
        /// The largest head of a request, in bytes: its token and its cookies.
        request_head_bytes: usize = 16_384,
        /// How long a client may take to send the head of a request, and to show a valid token, in milliseconds.
        handshake_timeout_ms: u64 = 10_000,
        /// TLS of the public port, and of that of the backend API unless it has its own.
        tls: PortTlsSection = PortTlsSection::default(),
        /// TLS of the backend API's own port.
        api_tls: PortTlsSection = PortTlsSection::default(),
    }
}

impl ServerSection {
    /// TLS of the public port.
    pub(super) fn public_tls(&self) -> Result<Option<TlsSettings>, ConfigError> {
        self.tls.check("server.tls")
    }

    /// TLS of the backend API's own port, where it is not that of the public port.
    pub(super) fn own_api_tls(&self) -> Result<Option<TlsSettings>, ConfigError> {
        self.api_tls.check("server.api_tls")
    }

    pub(super) fn check(&self, limits: &LimitsSection) -> Result<EdgeConfig, ConfigError> {
        let timeout_ms = self.handshake_timeout_ms;
        in_range("server.handshake_timeout_ms", timeout_ms, 100, 120_000)?;
        in_range(
            "server.request_head_bytes",
            self.request_head_bytes,
            2048,
            262_144,
        )?;
        if self.api_listen.is_none() && !self.api_tls.is_empty() {
            let problem = "needs server.api_listen: without it the public port serves the API";
            return Err(ConfigError::new("server.api_tls", problem));
        }
        limits.check_admission()?;
        let allowed_origins = Origins::parse(&self.allowed_origins)
            .map_err(|problem| ConfigError::new("server.allowed_origins", problem))?;
        let trusted_proxies = self.trusted_proxies.iter().map(|network| network.parse());
        let trusted_proxies = trusted_proxies
            .collect::<Result<Vec<Network>, _>>()
            .map_err(|problem| ConfigError::new("server.trusted_proxies", problem))?;
        if self.proxy_protocol && trusted_proxies.is_empty() {
            let problem = "needs server.trusted_proxies: only those may say where a connection comes from";
            return Err(ConfigError::new("server.proxy_protocol", problem));
        }
        Ok(EdgeConfig {
            allowed_origins,
            accept_query_token: self.accept_query_token,
            trusted_proxies,
            // The section of the regions sets it.
            region_header: None,
            proxy_protocol: self.proxy_protocol,
            request_head_bytes: self.request_head_bytes,
            max_connections: limits.connections,
            max_handshakes: limits.handshakes,
            serves_backend_api: self.api_listen.is_none(),
            api_calls_per_tenant: limits.api_calls_per_tenant,
            connects_per_second: limits.connects_per_second,
            peer_connects_per_second: limits.peer_connects_per_second,
            address_requests_per_second: limits.address_requests_per_second,
            handshake_timeout: Duration::from_millis(timeout_ms),
            // The node sets it when it knows its limit of open files.
            first_reserved_file: i32::MAX,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_can_never_match_name_their_key_and_the_right_spelling() {
        let origins = ServerSection {
            allowed_origins: vec!["https://app.example/".into()],
            ..ServerSection::default()
        };
        let proxies = ServerSection {
            trusted_proxies: vec!["10.1.0.0/8".into()],
            ..ServerSection::default()
        };
        for (section, key, spelling) in [
            (origins, "server.allowed_origins", "`https://app.example`"),
            (proxies, "server.trusted_proxies", "`10.0.0.0/8`"),
        ] {
            let error = section.check(&LimitsSection::default()).unwrap_err();
            assert_eq!(error.key, key);
            assert!(error.problem.contains(spelling), "{}", error.problem);
        }
    }
}
