//! `[broker]`: the bus that joins the nodes, and where it is.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchboard_broker::{MAX_MESSAGE_BYTES, RedisConfig, RedisConfigError};
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
}

section! {
    /// `[broker]`.
    BrokerSection {
        /// The bus that joins the nodes.
        kind: BrokerKind = BrokerKind::Redis,
        /// How Redis is run; this version serves `standalone`.
        redis_mode: RedisMode = RedisMode::Standalone,
        /// The URL of Redis.
        #[schemars(with = "Vec<String>")]
        redis_urls: Vec<Secret> = vec![Secret::new("redis://127.0.0.1:6379")],
        /// A file that holds the one URL instead, to keep a password out of the configuration.
        redis_url_file: Option<PathBuf> = None,
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
    Redis(RedisConfig),
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
                let (key, url) = self.redis_url()?;
                let redis = RedisConfig {
                    key_prefix: self.redis_key_prefix.clone(),
                    memory_watermark: self.redis_memory_watermark,
                    ..RedisConfig::new(url.expose())
                };
                redis.check().map_err(|error| {
                    let key = match error {
                        RedisConfigError::KeyPrefix => "broker.redis_key_prefix",
                        RedisConfigError::MemoryWatermark => "broker.redis_memory_watermark",
                        RedisConfigError::Url(_)
                        | RedisConfigError::Tls
                        | RedisConfigError::Unix
                        | RedisConfigError::ZeroTimeout
                        | RedisConfigError::OtherServer => key,
                    };
                    ConfigError::new(key, error.to_string())
                })?;
                Ok(BrokerSettings::Redis(redis))
            }
        }
    }

    /// The one URL, and the key that it comes from.
    fn redis_url(&self) -> Result<(&'static str, Secret), ConfigError> {
        let file = self.redis_url_file.as_deref();
        let file = check::secret("broker.redis_url", &Secret::default(), file)?;
        match (file, self.redis_urls.as_slice()) {
            (None, [url]) => Ok(("broker.redis_urls", url.clone())),
            (None, urls) => {
                let problem = format!(
                    "redis_mode `standalone` takes exactly one URL, not {}",
                    urls.len()
                );
                Err(ConfigError::new("broker.redis_urls", problem))
            }
            (Some(url), urls) => {
                let default = Self::default().redis_urls;
                let is_default = urls
                    .iter()
                    .map(Secret::expose)
                    .eq(default.iter().map(Secret::expose));
                let problem = "set either broker.redis_urls or broker.redis_url_file, not both";
                is_default
                    .then_some(("broker.redis_url_file", url))
                    .ok_or_else(|| ConfigError::new("broker.redis_urls", problem))
            }
        }
    }
}
