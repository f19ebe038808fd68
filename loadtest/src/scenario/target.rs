//! Who is loaded: servers somewhere, or a cluster that is started for the run; and the generator itself.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use switchboard_client::Trust;
use switchboard_harness::RedisLayout;

use super::Span;

/// The kinds of servers that can be loaded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum DriverKind {
    /// This project.
    #[default]
    Switchboard,
    /// PeerServer (npm `peer`).
    Peerjs,
    /// socket.io with the Redis adapter.
    Socketio,
    /// nextcloud-spreed-signaling.
    Spreed,
    /// Raw Redis PUBLISH → SUBSCRIBE: the baseline.
    Redis,
}

/// Servers that are there already.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// What they are.
    pub driver: DriverKind,
    /// One address a node, for example `ws://127.0.0.1:8080/v1/ws`. None: a cluster is started for the run.
    pub urls: Vec<String>,
    /// The nodes' ops addresses in the same order, for example `http://127.0.0.1:9090`, for `/metrics` and `drain`.
    pub ops_urls: Vec<String>,
    /// The audience in the tokens; `switchboard` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// A file with the HS256 secret that the servers trust. A cluster that is started makes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// A private key (PEM) instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// A PEM file of authorities that may certify `wss://` targets, in addition to those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The `kid` of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

impl Target {
    /// Whom the generator trusts behind `wss://`.
    ///
    /// # Errors
    /// When `ca_file` cannot be used.
    pub(crate) fn trust(&self) -> anyhow::Result<Trust> {
        let trust = self.ca_file.as_deref().map(Trust::with_ca_file).transpose();
        Ok(trust.context("target.ca_file")?.unwrap_or_default())
    }
}

/// The cluster that is started where no target is named.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Nodes.
    pub nodes: usize,
    /// The Redis servers: `standalone`, `sentinel`, `cluster:3+3` (masters and replicas) or `sharded:3` (servers).
    #[serde(serialize_with = "write_layout", deserialize_with = "read_layout")]
    pub redis: RedisLayout,
    /// Nodes reach them with TLS, and show a certificate.
    pub redis_tls: bool,
    /// The `switchboard` binary; the one next to this program if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<PathBuf>,
    /// Lines added to each node's configuration (TOML), for example `[limits]\nmessage_bytes = 1024`.
    pub config: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            nodes: 2,
            redis: RedisLayout::Standalone,
            redis_tls: false,
            binary: None,
            config: String::new(),
        }
    }
}

fn write_layout<S: Serializer>(layout: &RedisLayout, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(layout)
}

fn read_layout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RedisLayout, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// The generator itself.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generator {
    /// Worker processes, on this machine or over all agents in turn; as many as the connections need if 0.
    pub workers: usize,
    /// Agents on other machines, `host:port`; the workers are theirs, at least one each.
    pub agents: Vec<String>,
    /// A run in which 1 % of starts are later than this is invalid: the generator was saturated.
    pub max_start_delay: Span,
    /// The share of starts that may be dropped, 0 to 1, before a run is invalid.
    pub max_dropped: f64,
}

impl Default for Generator {
    fn default() -> Self {
        Self {
            workers: 0,
            agents: Vec::new(),
            max_start_delay: Span::from_millis(50),
            max_dropped: 0.001,
        }
    }
}
