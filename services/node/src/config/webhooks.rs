//! `[webhooks]`: the app's backends that get events of the cluster.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use switchboard_protocol::{Secret, TenantId};
use switchboard_webhooks::{Endpoint, EndpointConfig, EventKind, MAX_ENDPOINTS, WebhooksConfig};

use super::{check::in_range, error::ConfigError, section::section, tls::TlsSection};

section! {
    /// One of `[[webhooks.endpoints]]`.
    EndpointSection {
        /// Its name: 1 to 32 characters of a-z 0-9 -. Its waiting events in Redis have it; a new name begins anew.
        name: String = String::new(),
        /// Where its events go: https://, or http:// to a loopback address.
        url: String = String::new(),
        /// Secrets `whsec_…` of Standard Webhooks; each signs. Two during a rotation.
        #[schemars(with = "Vec<String>")]
        secrets: Vec<Secret> = Vec::new(),
        /// Files that hold secrets, one in each line, in addition to `secrets`.
        secret_files: Vec<PathBuf> = Vec::new(),
        /// The events that it gets, for example `peer.wanted`; empty: all.
        events: Vec<String> = Vec::new(),
        /// The tenants whose events it gets; empty: all.
        tenants: Vec<String> = Vec::new(),
    }
}

section! {
    /// `[webhooks]`.
    WebhooksSection {
        /// Who gets events, each as `[[webhooks.endpoints]]`; none: no webhooks.
        endpoints: Vec<EndpointSection> = Vec::new(),
        /// How long a request may take, in milliseconds.
        timeout_ms: u64 = 15_000,
        /// The wait before the first repetition, in milliseconds; it doubles with each.
        first_retry_ms: u64 = 1_000,
        /// The longest wait between two repetitions, in milliseconds.
        longest_retry_ms: u64 = 60_000,
        /// How long an event is repeated while its endpoint cannot be reached, in seconds.
        retry_for_s: u64 = 86_400,
        /// Answers without success after which an event is given up.
        refusals: u32 = 10,
        /// Requests that one node has under way to one endpoint.
        requests: usize = 16,
        /// Events that wait for one endpoint in the cluster; the oldest are dropped.
        events: usize = 100_000,
        /// Events of one endpoint that were given up and can be replayed; the oldest are dropped.
        dead_events: usize = 1_000,
    }
}

impl WebhooksSection {
    /// `None` without an endpoint.
    pub(super) fn check(self, tls: &TlsSection) -> Result<Option<WebhooksConfig>, ConfigError> {
        in_range("webhooks.endpoints", self.endpoints.len(), 0, MAX_ENDPOINTS)?;
        in_range("webhooks.timeout_ms", self.timeout_ms, 100, 60_000)?;
        in_range("webhooks.first_retry_ms", self.first_retry_ms, 10, 60_000)?;
        in_range(
            "webhooks.longest_retry_ms",
            self.longest_retry_ms,
            self.first_retry_ms,
            3_600_000,
        )?;
        in_range("webhooks.retry_for_s", self.retry_for_s, 1, 7 * 86_400)?;
        in_range("webhooks.refusals", self.refusals, 1, 100)?;
        in_range("webhooks.requests", self.requests, 1, 256)?;
        in_range("webhooks.events", self.events, 1_000, 10_000_000)?;
        in_range("webhooks.dead_events", self.dead_events, 1, 100_000)?;
        let mut names = BTreeSet::new();
        let mut endpoints = Vec::with_capacity(self.endpoints.len());
        for section in self.endpoints {
            if !names.insert(section.name.clone()) {
                let problem = format!("two have the name `{}`", section.name);
                return Err(ConfigError::new("webhooks.endpoints", problem));
            }
            endpoints.push(section.check()?);
        }
        let config = WebhooksConfig {
            endpoints,
            ca_file: tls.ca_file.clone(),
            timeout: Duration::from_millis(self.timeout_ms),
            first_retry: Duration::from_millis(self.first_retry_ms),
            longest_retry: Duration::from_millis(self.longest_retry_ms),
            retry_for: Duration::from_secs(self.retry_for_s),
            refusals: self.refusals,
            requests: self.requests,
            events: self.events,
            dead_events: self.dead_events,
        };
        Ok((!config.endpoints.is_empty()).then_some(config))
    }
}

impl EndpointSection {
    fn check(self) -> Result<Endpoint, ConfigError> {
        let name = self.name.clone();
        let refused = |problem: String| {
            ConfigError::new("webhooks.endpoints", format!("the endpoint `{name}`: {problem}"))
        };
        let kind = |event: &String| {
            EventKind::of_name(event).ok_or_else(|| {
                let all = EventKind::ALL.map(EventKind::as_str).join(", ");
                refused(format!("there is no event `{event}`; there are {all}"))
            })
        };
        let tenant = |tenant: &String| {
            TenantId::new(tenant).map_err(|error| refused(format!("the tenant `{tenant}`: {error}")))
        };
        let config = EndpointConfig {
            events: self.events.iter().map(kind).collect::<Result<_, _>>()?,
            tenants: self.tenants.iter().map(tenant).collect::<Result<_, _>>()?,
            name: self.name,
            url: self.url,
            secrets: self.secrets,
            secret_files: self.secret_files,
        };
        Endpoint::new(config).map_err(|error| refused(error.to_string()))
    }
}
