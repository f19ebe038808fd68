//! A Redis and some nodes, with tokens and clients for them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;
use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{FaultProxy, NodeProcess, RedisServer};
use switchboard_protocol::{Claims, Secret};

/// The secret with which every token of the tests is signed.
pub const SECRET: &str = "end-to-end-tests-share-this-secret";

/// How long a test's token is valid, in seconds.
const TOKEN_TTL_S: u64 = 600;

/// The drain of nodes whose test does not configure one.
const QUICK_DRAIN: &str = "[drain]\nsettle_ms = 100\nwindow_ms = 300\ngrace_ms = 200\ndeadline_ms = 3000\n";

/// A Redis and some nodes; all killed when dropped.
pub struct Cluster {
    /// The Redis.
    pub redis: RedisServer,
    /// The nodes, called `n1`, `n2` …
    pub nodes: Vec<NodeProcess>,
    /// The proxy between each node and the Redis, in the order of the nodes; empty without proxies.
    pub proxies: Vec<FaultProxy>,
    /// The configuration of all nodes, without the section `[broker]`.
    config: String,
}

impl Cluster {
    /// Starts `count` nodes and waits until all are ready.
    ///
    /// # Errors
    /// When a part is missing or does not come up.
    pub async fn start(count: usize) -> anyhow::Result<Self> {
        Self::start_with(count, "").await
    }

    /// The same with more configuration: TOML sections other than `[auth]` and `[broker]`;
    /// without `[drain]` a drain is quick.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_with(count: usize, more: &str) -> anyhow::Result<Self> {
        let redis = RedisServer::start().await?;
        let urls = vec![redis.url(); count];
        Self::of(redis, Vec::new(), &urls, more).await
    }

    /// The same with a proxy of its own between each node and the Redis.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_proxied(count: usize, more: &str) -> anyhow::Result<Self> {
        let redis = RedisServer::start().await?;
        let mut proxies = Vec::with_capacity(count);
        for _ in 0..count {
            proxies.push(FaultProxy::start(redis.address()).await?);
        }
        let urls = proxies.iter().map(|proxy| format!("redis://{}", proxy.address()));
        let urls: Vec<_> = urls.collect();
        Self::of(redis, proxies, &urls, more).await
    }

    /// A node for each of the URLs of the Redis.
    async fn of(
        redis: RedisServer,
        proxies: Vec<FaultProxy>,
        urls: &[String],
        more: &str,
    ) -> anyhow::Result<Self> {
        let drain = if more.contains("[drain]") { "" } else { QUICK_DRAIN };
        let config = format!("[auth]\nhs256_secret = \"{SECRET}\"\n{drain}{more}");
        let mut nodes = Vec::with_capacity(urls.len());
        for (number, url) in (1..).zip(urls) {
            nodes.push(spawn(&format!("n{number}"), url, &config)?);
        }
        for node in &nodes {
            node.wait_ready().await?;
        }
        Ok(Self {
            redis,
            nodes,
            proxies,
            config,
        })
    }

    /// Starts one more node of this cluster, without a proxy, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_another(&self, id: &str) -> anyhow::Result<NodeProcess> {
        let node = spawn(id, &self.redis.url(), &self.config)?;
        node.wait_ready().await?;
        Ok(node)
    }

    /// The URLs of all nodes, beginning with the one at `first`.
    #[must_use]
    pub fn urls_from(&self, first: usize) -> Vec<String> {
        let mut urls: Vec<_> = self.nodes.iter().map(NodeProcess::url).collect();
        urls.rotate_left(first % self.nodes.len().max(1));
        urls
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

fn spawn(id: &str, redis_url: &str, config: &str) -> anyhow::Result<NodeProcess> {
    NodeProcess::spawn_new(id, &format!("[broker]\nredis_urls = [\"{redis_url}\"]\n{config}"))
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
    sign(&claims(peer))
}

/// A token with these claims.
///
/// # Errors
/// When it cannot be signed.
pub fn sign(claims: &Claims) -> anyhow::Result<Secret> {
    Ok(Minter::hs256(&Secret::new(SECRET))?.mint(claims, Some("switchboard"))?)
}

/// A payload with exactly this JSON text.
///
/// # Errors
/// When it is not JSON.
pub fn payload(json: impl Into<String>) -> anyhow::Result<Box<RawValue>> {
    Ok(RawValue::from_string(json.into())?)
}
