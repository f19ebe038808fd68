//! The servers of a configuration: everything that can be wrong with it is found here, before anything is started.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{
    config::{RedisConfig, RedisConfigError, RedisCredentials, RedisMode},
    endpoint::{Access, Assigned, Endpoint, Kind, Location, Settings},
    tls::RedisTls,
    url::{is_tls, parse},
};
use crate::keys::Names;

impl RedisConfig {
    /// Checks the configuration without connecting.
    ///
    /// # Errors
    /// [`RedisConfigError`]; its text never holds the URL.
    pub fn check(&self) -> Result<(), RedisConfigError> {
        self.endpoints().map(drop)
    }

    /// The servers, in the order of the URLs: each has its own address, user and password. With Sentinels the first one
    /// is the server that they name, and the others are they.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, RedisConfigError> {
        self.check_settings()?;
        let tls = self.tls_config()?;
        let parsed: Vec<_> = self.urls.iter().map(parse).collect::<Result<_, _>>()?;
        let kind = match self.mode {
            RedisMode::Standalone | RedisMode::Sharded => Kind::Master,
            RedisMode::Cluster => Kind::ClusterMember,
            RedisMode::Sentinel => Kind::Sentinel,
        };
        let credentials = match kind {
            Kind::Sentinel => &self.sentinel_credentials,
            Kind::Master | Kind::ClusterMaster | Kind::ClusterMember => &self.credentials,
        };
        let mut endpoints = Vec::with_capacity(1 + parsed.len());
        if let (Kind::Sentinel, Some(first)) = (kind, parsed.first()) {
            let access = access(&self.credentials, &RedisCredentials::default(), &tls)?;
            let place = Location::Assigned(Assigned::default());
            endpoints.push(self.endpoint(place, Kind::Master, first.database, access));
        }
        for url in parsed {
            if kind == Kind::ClusterMember && url.database != 0 {
                return Err(RedisConfigError::Database);
            }
            let access = access(credentials, &url.credentials, &tls)?;
            endpoints.push(self.endpoint(Location::Fixed(url.address), kind, url.database, access));
        }
        Ok(endpoints)
    }

    fn check_settings(&self) -> Result<(), RedisConfigError> {
        if self.connect_timeout_ms == 0 || self.response_timeout_ms == 0 {
            return Err(RedisConfigError::ZeroTimeout);
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=32).contains(&self.key_prefix.len()) || !self.key_prefix.bytes().all(is_plain) {
            return Err(RedisConfigError::KeyPrefix);
        }
        if !(self.memory_watermark > 0.0 && self.memory_watermark <= 1.0) {
            return Err(RedisConfigError::MemoryWatermark);
        }
        match (self.mode, self.urls.len()) {
            (RedisMode::Standalone, 1) => {}
            (RedisMode::Standalone, _) => return Err(RedisConfigError::UrlCount("exactly one URL")),
            (RedisMode::Sentinel | RedisMode::Cluster | RedisMode::Sharded, 0) => {
                return Err(RedisConfigError::UrlCount("one URL or more"));
            }
            (RedisMode::Sentinel | RedisMode::Cluster | RedisMode::Sharded, _) => {}
        }
        let problem = match (self.mode == RedisMode::Sentinel, self.sentinel_master.is_empty()) {
            (true, true) => "names the server that the Sentinels watch, for example `mymaster`",
            (false, false) => "is for redis_mode `sentinel` only",
            (true, false) | (false, true) => return Ok(()),
        };
        Err(RedisConfigError::SentinelMaster(problem))
    }

    fn tls_config(&self) -> Result<Option<Arc<ClientConfig>>, RedisConfigError> {
        match self.urls.iter().filter(|url| is_tls(url)).count() {
            0 if self.tls != RedisTls::default() => Err(RedisConfigError::UnusedTls),
            0 => Ok(None),
            count if count < self.urls.len() => Err(RedisConfigError::MixedTls),
            _ => Ok(Some(self.tls.client_config()?)),
        }
    }

    fn endpoint(&self, location: Location, kind: Kind, database: i64, access: Access) -> Endpoint {
        let settings = Settings {
            memory_watermark: self.memory_watermark,
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            response_timeout: Duration::from_millis(self.response_timeout_ms),
        };
        let names = Names::new(&self.key_prefix, database);
        Endpoint::new(location, kind, names, database, access, &settings)
    }
}

/// The credentials of a URL, or else those of `all`.
fn access(
    all: &RedisCredentials,
    url: &RedisCredentials,
    tls: &Option<Arc<ClientConfig>>,
) -> Result<Access, RedisConfigError> {
    let none = RedisCredentials::default();
    let own = match (all == &none, url == &none) {
        (true, _) => url,
        (false, true) => all,
        (false, false) => return Err(RedisConfigError::TwoPasswords),
    };
    if own.username.is_some() && own.password.is_none() {
        return Err(RedisConfigError::NoPassword);
    }
    Ok(Access {
        username: own.username.clone(),
        password: own.password.clone(),
        tls: tls.clone(),
    })
}

#[cfg(test)]
#[path = "servers_tests.rs"]
mod tests;
