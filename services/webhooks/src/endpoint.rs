//! One endpoint: an app's URL that gets events, which events, and the secrets that sign them. Checked once.

use std::{net::IpAddr, path::PathBuf};

use reqwest::Url;
use switchboard_protocol::{Secret, TenantId};

use crate::{
    error::{EndpointError, MAX_NAME},
    event::EventKind,
    secrets::Secrets,
};

/// An endpoint, as configured.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Its name, which its events in Redis carry.
    pub name: String,
    /// Where its events go.
    pub url: String,
    /// Secrets `whsec_…`; each signs.
    pub secrets: Vec<Secret>,
    /// Files with one secret in each line.
    pub secret_files: Vec<PathBuf>,
    /// The events that it gets; empty: all.
    pub events: Vec<EventKind>,
    /// The tenants whose events it gets; empty: all.
    pub tenants: Vec<TenantId>,
}

/// An endpoint, checked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) name: String,
    pub(crate) url: Url,
    pub(crate) secrets: Secrets,
    events: Vec<EventKind>,
    tenants: Vec<TenantId>,
}

impl Endpoint {
    /// Checks `config`, and reads its secrets.
    ///
    /// # Errors
    /// [`EndpointError`] for the first part that cannot be used.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=MAX_NAME).contains(&config.name.len()) || !config.name.bytes().all(is_plain) {
            return Err(EndpointError::Name(config.name));
        }
        Ok(Self {
            url: check_url(&config.url)?,
            secrets: Secrets::read(config.secrets, config.secret_files)?,
            name: config.name,
            events: config.events,
            tenants: config.tenants,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it gets events of `kind`.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.events.is_empty() || self.events.contains(&kind)
    }

    /// Whether it gets events of `tenant`.
    pub(crate) fn serves(&self, tenant: &str) -> bool {
        self.tenants.is_empty() || self.tenants.iter().any(|served| served.as_str() == tenant)
    }
}

fn check_url(url: &str) -> Result<Url, EndpointError> {
    let refused = |why: &str| Err(EndpointError::Url(why.into()));
    let url = Url::parse(url).map_err(|error| EndpointError::Url(format!("cannot be read: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return refused("carries a user name or password; the signature proves who sends");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if url.host_str().is_some_and(is_loopback) => Ok(url),
        _ => refused("must begin with https:// (http:// only to a loopback address)"),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, url: &str) -> EndpointConfig {
        EndpointConfig {
            name: name.into(),
            url: url.into(),
            secrets: vec![Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
            secret_files: Vec::new(),
            events: vec![EventKind::PeerWanted],
            tenants: vec![TenantId::new("acme").unwrap()],
        }
    }

    #[test]
    fn an_endpoint_gets_the_events_and_tenants_that_it_asks_for() {
        let endpoint = Endpoint::new(config("app", "https://app.example/hooks?a=b")).unwrap();
        assert!(endpoint.wants(EventKind::PeerWanted) && !endpoint.wants(EventKind::PeerConnected));
        assert!(endpoint.serves("acme") && !endpoint.serves("other"));
        let all = EndpointConfig {
            events: Vec::new(),
            tenants: Vec::new(),
            ..config("app", "https://app.example")
        };
        let all = Endpoint::new(all).unwrap();
        assert!(all.wants(EventKind::PeerConnected) && all.serves("other"));
    }

    #[test]
    fn plain_http_goes_to_loopback_addresses_alone() {
        for fine in [
            "http://localhost:9/x",
            "http://127.0.0.1/",
            "http://[::1]:80/",
            "https://10.0.0.1/",
        ] {
            Endpoint::new(config("app", fine)).unwrap();
        }
        for bad in [
            "http://app.example/",
            "http://10.0.0.1/",
            "http://localhost.example/",
            "ftp://localhost/",
            "https://user:hunter2@app.example/",
            "no url",
        ] {
            let error = Endpoint::new(config("app", bad)).unwrap_err();
            assert!(matches!(error, EndpointError::Url(_)), "{bad}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_name_that_redis_or_people_could_misread_is_refused() {
        for bad in ["", "a b", "a{b}", "App", "a/b", &"x".repeat(33)] {
            let error = Endpoint::new(config(bad, "https://app.example/")).unwrap_err();
            assert_eq!(error, EndpointError::Name(bad.into()));
        }
        let without = EndpointConfig {
            secrets: Vec::new(),
            ..config("app", "https://app.example/")
        };
        assert_eq!(Endpoint::new(without).unwrap_err(), EndpointError::Secrets(0));
    }
}
