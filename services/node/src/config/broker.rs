//! `[broker]`: the bus that joins the nodes, and where it is.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchboard_broker::{
    MAX_MESSAGE_BYTES, RedisConfig, RedisConfigError, RedisCredentials, RedisTls, RedisTlsError,
};
use switchboard_protocol::Secret;

use super::{check, error::ConfigError, section::section};

/// The bus that joins the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BrokerKind {
    /// None: one node alone.
    Memory,
    /// Redis pub/sub.
    Redis,
}

/// How Redis is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    Standalone,
    /// One server at a time, as Sentinels say.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
    /// Independent servers, which share the peers.
    Sharded,
}

section! {
    /// `[broker]`.
    BrokerSection {
        /// The bus that joins the nodes.
        kind: BrokerKind = BrokerKind::Redis,
        /// How Redis is run: `standalone` is one server; `sentinel` one that Sentinels name; `cluster` a Redis Cluster;
        /// `sharded` several servers that share the peers.
        redis_mode: RedisMode = RedisMode::Standalone,
        /// The URL of Redis, `redis://host:port`, or `rediss://` for TLS: exactly one in mode `standalone`; some members of a
        /// cluster; the Sentinels; or all servers in order, which must stay as it is.
        #[schemars(with = "Vec<String>")]
        redis_urls: Vec<Secret> = vec![Secret::new("redis://127.0.0.1:6379")],
        /// A file that holds the URLs instead, one in each line, to keep passwords out of the configuration.
        redis_url_file: Option<PathBuf> = None,
        /// The user of Redis, for URLs without one; empty: `default`.
        redis_username: String = String::new(),
        /// A file that holds the password of Redis as it is, for URLs without one.
        redis_password_file: Option<PathBuf> = None,
        /// The name under which Sentinels know the server, for example `mymaster`. Only in mode `sentinel`.
        redis_sentinel_master: String = String::new(),
        /// The user of the Sentinels, for URLs without one; empty: `default`.
        redis_sentinel_username: String = String::new(),
        /// A file that holds the password of the Sentinels as it is, for URLs without one.
        redis_sentinel_password_file: Option<PathBuf> = None,
        /// A PEM file of the authorities that sign the certificates of Redis; without it those of the system.
        redis_ca_file: Option<PathBuf> = None,
        /// A PEM file with the certificate that the node shows to Redis, and its chain.
        redis_cert_file: Option<PathBuf> = None,
        /// A PEM file with the private key of that certificate.
        redis_key_file: Option<PathBuf> = None,
        /// The beginning of every name in Redis; clusters that share a Redis need different ones.
        redis_key_prefix: String = "sb".into(),
        /// The part of the memory of Redis up to which messages are stored for detached peers.
        redis_memory_watermark: f64 = 0.75,
    }
}

/// The bus, checked.
#[derive(Debug, Clone)]
pub enum BrokerSettings {
    /// One node alone.
    Memory,
    /// Redis.
    Redis(Box<RedisConfig>),
}

impl BrokerSection {
    /// `message_bytes` is the largest message of a client.
    pub(super) fn check(&self, message_bytes: usize) -> Result<BrokerSettings, ConfigError> {
        match self.kind {
            BrokerKind::Memory => Ok(BrokerSettings::Memory),
            BrokerKind::Redis => {
                if message_bytes > MAX_MESSAGE_BYTES {
                    let problem = format!(
                        "{message_bytes} is more than nodes forward over Redis; the most is {MAX_MESSAGE_BYTES}"
                    );
                    return Err(ConfigError::new("limits.message_bytes", problem));
                }
                let (key, urls) = self.redis_urls()?;
                let redis = RedisConfig {
                    mode: self.redis_mode.into(),
                    urls,
                    credentials: credentials(
                        "broker.redis_password",
                        &self.redis_username,
                        self.redis_password_file.as_deref(),
                    )?,
                    sentinel_master: self.redis_sentinel_master.clone(),
                    sentinel_credentials: credentials(
                        "broker.redis_sentinel_password",
                        &self.redis_sentinel_username,
                        self.redis_sentinel_password_file.as_deref(),
                    )?,
                    tls: self.redis_tls()?,
                    key_prefix: self.redis_key_prefix.clone(),
                    memory_watermark: self.redis_memory_watermark,
                    ..RedisConfig::new("")
                };
                redis
                    .check()
                    .map_err(|error| ConfigError::new(key_of(&error, key), error.to_string()))?;
                Ok(BrokerSettings::Redis(Box::new(redis)))
            }
        }
    }

    /// The files that a running node reads again.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let files = [
            &self.redis_url_file,
            &self.redis_password_file,
            &self.redis_sentinel_password_file,
            &self.redis_ca_file,
            &self.redis_cert_file,
            &self.redis_key_file,
        ];
        files.into_iter().flatten().cloned().collect()
    }

    /// The URLs, and the key that they come from.
    fn redis_urls(&self) -> Result<(&'static str, Vec<Secret>), ConfigError> {
        let file = self.redis_url_file.as_deref();
        let Some(text) = check::secret("broker.redis_url", &Secret::default(), file)? else {
            return Ok(("broker.redis_urls", self.redis_urls.clone()));
        };
        let default = Self::default().redis_urls;
        let own = self.redis_urls.iter().map(Secret::expose);
        if !own.eq(default.iter().map(Secret::expose)) {
            let problem = "set either broker.redis_urls or broker.redis_url_file, not both";
            return Err(ConfigError::new("broker.redis_urls", problem));
        }
        let lines = text.expose().lines().map(str::trim);
        let urls = lines.filter(|line| !line.is_empty()).map(Secret::new);
        Ok(("broker.redis_url_file", urls.collect()))
    }

    fn redis_tls(&self) -> Result<RedisTls, ConfigError> {
        let read = |key: &str, file: &Option<PathBuf>| {
            let text = check::secret(key, &Secret::default(), file.as_deref())?;
            Ok(text.map(|text| text.expose().to_owned()))
        };
        let certificate = read("broker.redis_cert", &self.redis_cert_file)?;
        let key = read("broker.redis_key", &self.redis_key_file)?;
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, Secret::new(key))),
            (None, None) => None,
            (Some(_), None) => {
                let problem = "is missing; broker.redis_cert_file needs the private key of its certificate";
                return Err(ConfigError::new("broker.redis_key_file", problem));
            }
            (None, Some(_)) => {
                let problem = "is missing; broker.redis_key_file needs the certificate of its key";
                return Err(ConfigError::new("broker.redis_cert_file", problem));
            }
        };
        Ok(RedisTls {
            authorities: read("broker.redis_ca", &self.redis_ca_file)?,
            client,
        })
    }
}

impl From<RedisMode> for switchboard_broker::RedisMode {
    fn from(mode: RedisMode) -> Self {
        match mode {
            RedisMode::Standalone => Self::Standalone,
            RedisMode::Sentinel => Self::Sentinel,
            RedisMode::Cluster => Self::Cluster,
            RedisMode::Sharded => Self::Sharded,
        }
    }
}

/// A user and the password in `file`; `key` is that of the password.
fn credentials(key: &str, username: &str, file: Option<&Path>) -> Result<RedisCredentials, ConfigError> {
    Ok(RedisCredentials {
        username: (!username.is_empty()).then(|| username.to_owned()),
        password: check::secret(key, &Secret::default(), file)?,
    })
}

/// The key to change after an error; `urls` is that of the URLs.
fn key_of(error: &RedisConfigError, urls: &'static str) -> &'static str {
    match error {
        RedisConfigError::KeyPrefix => "broker.redis_key_prefix",
        RedisConfigError::MemoryWatermark => "broker.redis_memory_watermark",
        RedisConfigError::SentinelMaster(_) => "broker.redis_sentinel_master",
        RedisConfigError::Mode => "broker.redis_mode",
        RedisConfigError::TwoPasswords | RedisConfigError::NoPassword => "broker.redis_password_file",
        RedisConfigError::UnusedTls
        | RedisConfigError::Tls(RedisTlsError::Authorities | RedisTlsError::NoSystemAuthorities) => {
            "broker.redis_ca_file"
        }
        RedisConfigError::Tls(RedisTlsError::Certificate) => "broker.redis_cert_file",
        RedisConfigError::Tls(RedisTlsError::Key) => "broker.redis_key_file",
        RedisConfigError::Url(_)
        | RedisConfigError::UrlOption(_)
        | RedisConfigError::UrlCount(_)
        | RedisConfigError::MixedTls
        | RedisConfigError::Database
        | RedisConfigError::Unix
        | RedisConfigError::ZeroTimeout
        | RedisConfigError::OtherServer => urls,
    }
}
