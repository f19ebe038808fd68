//! Where Redis is and how long to wait for it, checked before anything is started. Not a URL parser: that
//! is redis-rs's own, so that one URL means the same to publisher and subscriber.

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, io::tcp::TcpSettings};
use switchboard_protocol::Secret;

use crate::keys::{DEFAULT_PREFIX, Names};

/// The topology of the Redis servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    #[default]
    Standalone,
}

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The topology.
    pub mode: RedisMode,
    /// `redis://[user][:password@]host[:port][/db]`. It may hold a password, so it is never shown.
    pub url: Secret,
    /// The beginning of every name in Redis; clusters that share a Redis need different ones.
    pub key_prefix: String,
    /// The part of the memory of Redis, from 0 to 1, up to which messages are stored for detached peers.
    pub memory_watermark: f64,
    /// How long one attempt to connect may take, handshake included, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long Redis may take to answer a command before the connection counts as lost, in milliseconds.
    pub response_timeout_ms: u64,
}

/// Why a configuration cannot work, with what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisConfigError {
    /// The URL is none.
    #[error(
        "the Redis URL cannot be read ({0}); it has the form redis://[user][:password@]host[:port][/db]; \
         percent-encode `/`, `#`, `?`, `@`, `:` and `%` in a password, for example `%2F` for `/`"
    )]
    Url(String),
    /// The prefix cannot be part of a name.
    #[error("a key prefix has 1 to 32 of the characters A-Z a-z 0-9 . _ -, for example `sb` or `staging`")]
    KeyPrefix,
    /// The watermark is no part of a whole.
    #[error("a memory watermark is above 0 and at most 1, for example 0.75")]
    MemoryWatermark,
    /// TLS is asked for.
    #[error(
        "rediss:// (TLS) is not supported by this version; use redis:// inside a private network or through a \
         TLS tunnel (stunnel, for example) on the node's own host"
    )]
    Tls,
    /// A Unix socket is asked for.
    #[error("Unix sockets are not supported; use redis://host:port")]
    Unix,
    /// A time limit is zero.
    #[error("a Redis timeout of 0 ms would refuse every connection; use 100 ms or more")]
    ZeroTimeout,
    /// A running node was given the URL of another server.
    #[error(
        "another host, port or database needs a restart; only the user and the password change at run time"
    )]
    OtherServer,
}

/// A checked configuration of one server. Clones share its credentials.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    info: Arc<RwLock<Arc<ConnectionInfo>>>,
    pub(crate) names: Names,
    pub(crate) memory_watermark: f64,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl RedisConfig {
    /// A configuration with the usual time limits.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            mode: RedisMode::default(),
            url: Secret::new(url),
            key_prefix: DEFAULT_PREFIX.to_owned(),
            memory_watermark: 0.75,
            connect_timeout_ms: 1_000,
            response_timeout_ms: 2_000,
        }
    }

    /// Checks the configuration without connecting.
    ///
    /// # Errors
    /// [`RedisConfigError`]; its text never holds the URL.
    pub fn check(&self) -> Result<(), RedisConfigError> {
        self.endpoint().map(drop)
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, RedisConfigError> {
        let url = self.url.expose();
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        if matches!(scheme, "rediss" | "valkeys") {
            return Err(RedisConfigError::Tls);
        }
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
        let info = url
            .into_connection_info()
            .map_err(|error| RedisConfigError::Url(error.category().to_owned() + ": " + &reason(&error)))?;
        let (host, port) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host.clone(), *port),
            ConnectionAddr::TcpTls { .. } => return Err(RedisConfigError::Tls),
            // Unix sockets, and anything that redis-rs may add.
            ConnectionAddr::Unix(_) | _ => return Err(RedisConfigError::Unix),
        };
        let settings = info
            .redis_settings()
            .clone()
            // Both connections speak RESP2: the subscriber is written for it.
            .set_protocol(ProtocolVersion::RESP2);
        Ok(Endpoint {
            host,
            port,
            names: Names::new(&self.key_prefix, settings.db()),
            memory_watermark: self.memory_watermark,
            info: Arc::new(RwLock::new(Arc::new(
                info.set_redis_settings(settings)
                    // Off by default in redis-rs: every lone PUBLISH would wait for an acknowledgement.
                    .set_tcp_settings(TcpSettings::default().set_nodelay(true)),
            ))),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            response_timeout: Duration::from_millis(self.response_timeout_ms),
        })
    }
}

impl Endpoint {
    /// What the next connection is made with.
    pub(crate) fn info(&self) -> Arc<ConnectionInfo> {
        Arc::clone(&self.info.read())
    }

    /// Uses the credentials of `next` for later connections.
    ///
    /// # Errors
    /// [`RedisConfigError::OtherServer`]: the peers of this node are known on the present one.
    pub(crate) fn set_credentials(&self, next: &Self) -> Result<(), RedisConfigError> {
        let is_same = (&self.host, self.port, &self.names) == (&next.host, next.port, &next.names);
        if !is_same {
            return Err(RedisConfigError::OtherServer);
        }
        *self.info.write() = next.info();
        Ok(())
    }
}

/// The fixed part of redis-rs's message; the variable part may quote the URL.
fn reason(error: &redis::RedisError) -> String {
    let text = error.to_string();
    text.split_once(" - ")
        .map_or(text.clone(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_host_port_database_and_credentials() {
        let endpoint = RedisConfig::new("redis://switch:p%40ss@redis.internal:7000/3")
            .endpoint()
            .unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("redis.internal", 7000));
        let info = endpoint.info();
        let redis = info.redis_settings();
        assert_eq!(
            (redis.db(), redis.username(), redis.password()),
            (3, Some("switch"), Some("p@ss"))
        );
        assert!(info.tcp_settings().nodelay());
    }

    #[test]
    fn credentials_change_for_all_clones_and_the_server_never_does() {
        let endpoint = |url: &str| RedisConfig::new(url).endpoint().unwrap();
        let (own, next) = (
            endpoint("redis://:old@host:7000/3"),
            endpoint("redis://ann:new@host:7000/3"),
        );
        let clone = own.clone();
        own.set_credentials(&next).unwrap();
        let info = clone.info();
        assert_eq!(
            (info.redis_settings().username(), info.redis_settings().password()),
            (Some("ann"), Some("new"))
        );
        for other in [
            "redis://:x@host:7001/3",
            "redis://:x@other:7000/3",
            "redis://:x@host:7000/4",
        ] {
            let refused = own.set_credentials(&endpoint(other)).unwrap_err();
            assert_eq!(refused, RedisConfigError::OtherServer, "{other}");
        }
        assert_eq!(own.info().redis_settings().password(), Some("new"));
    }

    #[test]
    fn unsupported_urls_are_refused_with_the_fix() {
        let refused = |url: &str| RedisConfig::new(url).check().unwrap_err();
        assert_eq!(refused("rediss://host"), RedisConfigError::Tls);
        assert_eq!(refused("unix:///run/redis.sock"), RedisConfigError::Unix);
        assert!(matches!(refused("http://host"), RedisConfigError::Url(_)));
        assert!(matches!(refused("redis://host/zero"), RedisConfigError::Url(_)));
    }

    #[test]
    fn a_database_and_a_prefix_are_part_of_every_name() {
        let names = |url: &str, prefix: &str| {
            let config = RedisConfig {
                key_prefix: prefix.to_owned(),
                ..RedisConfig::new(url)
            };
            config.endpoint().map(|endpoint| endpoint.names)
        };
        assert_eq!(names("redis://host", "sb").unwrap(), Names::default());
        assert_eq!(names("redis://host/0", "sb").unwrap(), Names::default());
        assert_eq!(names("redis://host/3", "a").unwrap(), Names::new("a", 3));
        for prefix in ["", "a@b", "a:b", "a{b}", &"x".repeat(33)] {
            assert_eq!(
                names("redis://host", prefix).unwrap_err(),
                RedisConfigError::KeyPrefix
            );
        }
    }

    #[test]
    fn a_password_that_breaks_the_url_leads_to_percent_encoding() {
        for password in ["a/b", "a#b", "a?b"] {
            let refused = RedisConfig::new(format!("redis://:{password}@host:6379")).check();
            let text = refused.unwrap_err().to_string();
            assert!(
                text.contains("percent-encode") && !text.contains(password),
                "{text}"
            );
        }
        let endpoint = RedisConfig::new("redis://:a%2Fb%23c%3Fd@host")
            .endpoint()
            .unwrap();
        assert_eq!(endpoint.info().redis_settings().password(), Some("a/b#c?d"));
    }

    #[test]
    fn no_error_and_no_debug_output_shows_the_password() {
        let config = RedisConfig::new("redis://:hunter2@host/hunter2?protocol=hunter2");
        let shown = format!("{config:?} {:?} {}", config.check(), config.check().unwrap_err());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
