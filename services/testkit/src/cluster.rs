//! A Redis and some nodes, with tokens and clients for them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;
use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::{Claims, Secret};

use crate::{NodeProcess, RedisServer};

/// The secret with which every token of the tests is signed.
pub const SECRET: &str = "end-to-end-tests-share-this-secret";

/// How long a test's token is valid, in seconds.
const TOKEN_TTL_S: u64 = 600;

/// A Redis and some nodes; all killed when dropped.
pub struct Cluster {
    /// The Redis.
    pub redis: RedisServer,
    /// The nodes, called `n1`, `n2` …
    pub nodes: Vec<NodeProcess>,
}

impl Cluster {
    /// Starts `count` nodes and waits until all are ready.
    ///
    /// # Errors
    /// When a part is missing or does not come up.
    pub async fn start(count: usize) -> anyhow::Result<Self> {
        Self::start_with(count, "").await
    }

    /// The same with more configuration: TOML sections other than `[auth]` and `[broker]`.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_with(count: usize, more: &str) -> anyhow::Result<Self> {
        let redis = RedisServer::start().await?;
        let config = format!(
            "[auth]\nhs256_secret = \"{SECRET}\"\n[broker]\nredis_urls = [\"{}\"]\n\
             [drain]\nsettle_ms = 100\nwindow_ms = 300\ngrace_ms = 200\ndeadline_ms = 3000\n{more}",
            redis.url()
        );
        let nodes = (1..=count).map(|number| NodeProcess::start(&format!("n{number}"), &config));
        let nodes = nodes.collect::<anyhow::Result<Vec<_>>>()?;
        for node in &nodes {
            node.ready().await?;
        }
        Ok(Self { redis, nodes })
    }

    /// Connects `peer` to the node at `index`, counted from 0.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn connect(&self, index: usize, peer: &str) -> anyhow::Result<Client> {
        let options = ConnectOptions::new(self.nodes[index].url(), token(peer)?);
        Ok(Client::connect(&options).await?)
    }
}

/// Claims of a valid token for `peer`.
#[must_use]
pub fn claims(peer: &str) -> Claims {
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Claims {
        sub: peer.into(),
        exp: now_s + TOKEN_TTL_S,
        ..Claims::default()
    }
}

/// A valid token for `peer`.
///
/// # Errors
/// When it cannot be signed.
pub fn token(peer: &str) -> anyhow::Result<Secret> {
    Ok(Minter::hs256(&Secret::new(SECRET))?.mint(&claims(peer), Some("switchboard"))?)
}

/// A payload from its JSON text, kept as it stands.
///
/// # Errors
/// When it is no JSON.
pub fn payload(json: impl Into<String>) -> anyhow::Result<Box<RawValue>> {
    Ok(RawValue::from_string(json.into())?)
}
