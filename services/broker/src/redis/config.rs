//! Where Redis is, who the node is to it, and how long to wait for it. Not the checks (`servers`).

use switchboard_protocol::Secret;

use super::tls::{RedisTls, RedisTlsError};
use crate::keys::DEFAULT_PREFIX;

/// The topology of the Redis servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    #[default]
    Standalone,
    /// One server at a time, as Sentinels say.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
    /// Independent servers.
    Sharded,
}

/// A user of Redis and its password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisCredentials {
    /// `default` without one.
    pub username: Option<String>,
    /// Any characters, as they are.
    pub password: Option<Secret>,
}

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The topology.
    pub mode: RedisMode,
    /// Each `redis://[user][:password@]host[:port][/db]`, or `rediss://` for TLS. They may hold passwords, so they are
    /// never shown. With Sentinels, theirs: TLS and database are those of the server, too.
    pub urls: Vec<Secret>,
    /// For servers whose URL has no password.
    pub credentials: RedisCredentials,
    /// The name of the server that Sentinels watch.
    pub sentinel_master: String,
    /// For Sentinels whose URL has no password.
    pub sentinel_credentials: RedisCredentials,
    /// Certificates, for `rediss://`.
    pub tls: RedisTls,
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
         percent-encode `/`, `#`, `?`, `@`, `:` and `%` in a password, for example `%2F` for `/`, or use \
         broker.redis_password_file"
    )]
    Url(String),
    /// The prefix cannot be part of a name.
    #[error("a key prefix has 1 to 32 of the characters A-Z a-z 0-9 . _ -, for example `sb` or `staging`")]
    KeyPrefix,
    /// The watermark is no part of a whole.
    #[error("a memory watermark is above 0 and at most 1, for example 0.75")]
    MemoryWatermark,
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] RedisTlsError),
    /// Certificates without TLS.
    #[error("is for TLS, and no URL begins with rediss://")]
    UnusedTls,
    /// Some URLs ask for TLS, and others do not.
    #[error("all URLs begin with redis://, or all with rediss://")]
    MixedTls,
    /// An option of a URL, or a fragment.
    #[error("a Redis URL has no options; {0}")]
    UrlOption(&'static str),
    /// The name of the master and the mode do not fit.
    #[error("{0}")]
    SentinelMaster(&'static str),
    /// A password for a URL that has one.
    #[error("a URL has a user or password too; set only one of them")]
    TwoPasswords,
    /// A user without a password.
    #[error("a user needs a password; set the file that holds it")]
    NoPassword,
    /// A database that the mode does not have.
    #[error("a Redis Cluster has the database 0 only; separate clusters with broker.redis_key_prefix")]
    Database,
    /// A Unix socket is asked for.
    #[error("Unix sockets are not supported; use redis://host:port")]
    Unix,
    /// The mode takes another number of URLs.
    #[error("this mode of Redis takes {0}")]
    UrlCount(&'static str),
    /// The mode is not served.
    #[error("this version does not serve this mode of Redis; use `standalone`")]
    Mode,
    /// A time limit is zero.
    #[error("a Redis timeout of 0 ms would refuse every connection; use 100 ms or more")]
    ZeroTimeout,
    /// A running node was given the URL of another server.
    #[error(
        "another host, port or database needs a restart; only the user and the password change at run time"
    )]
    OtherServer,
}

impl RedisConfig {
    /// A configuration with the usual time limits.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            mode: RedisMode::default(),
            urls: vec![Secret::new(url)],
            credentials: RedisCredentials::default(),
            sentinel_master: String::new(),
            sentinel_credentials: RedisCredentials::default(),
            tls: RedisTls::default(),
            key_prefix: DEFAULT_PREFIX.to_owned(),
            memory_watermark: 0.75,
            connect_timeout_ms: 1_000,
            response_timeout_ms: 2_000,
        }
    }
}
