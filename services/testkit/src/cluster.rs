//! Redis and some nodes, with tokens and clients for them.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::value::RawValue;
use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{DeploymentOptions, FaultProxy, NodeProcess, RedisDeployment, RedisLayout};
use switchboard_protocol::{Claims, Secret};

/// The secret with which every token of the tests is signed.
pub const SECRET: &str = "end-to-end-tests-share-this-secret";

/// How long a test's token is valid, in seconds.
const TOKEN_TTL_S: u64 = 600;

/// The drain of nodes whose test does not configure one.
const QUICK_DRAIN: &str = "[drain]\nsettle_ms = 100\nwindow_ms = 300\ngrace_ms = 200\ndeadline_ms = 3000\n";

/// The variable that names the Redis of tests that do not choose one themselves: `sentinel`, `cluster:3+3` ….
const REDIS_VARIABLE: &str = "SWITCHBOARD_TEST_REDIS";

/// Redis and some nodes; all killed when dropped.
pub struct Cluster {
    /// The Redis servers. As a server they are the first one, in standalone mode the only one. Clusters may share them.
    pub redis: Arc<RedisDeployment>,
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
        Self::start_on(usual_redis()?, count, more).await
    }

    /// The same with Redis servers of this layout.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_on(redis: RedisLayout, count: usize, more: &str) -> anyhow::Result<Self> {
        Self::start_of(RedisDeployment::start(redis).await?, count, more).await
    }

    /// The same with Redis servers that were started with these options.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_with_redis(
        redis: RedisLayout,
        options: DeploymentOptions,
        count: usize,
        more: &str,
    ) -> anyhow::Result<Self> {
        Self::start_of(RedisDeployment::start_with(redis, options).await?, count, more).await
    }

    /// The same with a proxy of its own between each node and the Redis, which is one server.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_proxied(count: usize, more: &str) -> anyhow::Result<Self> {
        let redis = RedisDeployment::start(RedisLayout::Standalone).await?;
        let mut proxies = Vec::with_capacity(count);
        for _ in 0..count {
            proxies.push(FaultProxy::start(redis.address()).await?);
        }
        let lines = proxies
            .iter()
            .map(|proxy| format!("redis_urls = [\"redis://{}\"]\n", proxy.address()));
        let lines: Vec<_> = lines.collect();
        Self::of(redis.into(), proxies, &lines, more).await
    }

    /// The same on independent Redis servers, of which every node lists the first `listed`. [`Cluster::list`] changes that.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_listing(
        listed: usize,
        servers: usize,
        count: usize,
        more: &str,
    ) -> anyhow::Result<Self> {
        let redis = RedisDeployment::start(RedisLayout::Sharded { servers }).await?;
        let lines = vec![redis.broker_toml_of(listed); count];
        Self::of(redis.into(), Vec::new(), &lines, more).await
    }

    /// Another cluster on the same Redis, without proxies: as many nodes of the same names and with the same configuration, but
    /// with these lines of `[broker]`.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_second(&self, broker: &str) -> anyhow::Result<Self> {
        let lines = vec![broker.to_owned(); self.nodes.len()];
        Self::of_config(Arc::clone(&self.redis), Vec::new(), &lines, self.config.clone()).await
    }

    async fn start_of(redis: RedisDeployment, count: usize, more: &str) -> anyhow::Result<Self> {
        let lines = vec![redis.broker_toml(); count];
        Self::of(redis.into(), Vec::new(), &lines, more).await
    }

    /// A node for each of these lines, which say where Redis is.
    async fn of(
        redis: Arc<RedisDeployment>,
        proxies: Vec<FaultProxy>,
        brokers: &[String],
        more: &str,
    ) -> anyhow::Result<Self> {
        let drain = if more.contains("[drain]") { "" } else { QUICK_DRAIN };
        let config = format!("[auth]\nhs256_secret = \"{SECRET}\"\n{drain}{more}");
        Self::of_config(redis, proxies, brokers, config).await
    }

    async fn of_config(
        redis: Arc<RedisDeployment>,
        proxies: Vec<FaultProxy>,
        brokers: &[String],
        config: String,
    ) -> anyhow::Result<Self> {
        let mut nodes = Vec::with_capacity(brokers.len());
        for (number, broker) in (1..).zip(brokers) {
            nodes.push(spawn(&format!("n{number}"), broker, &config)?);
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
        let node = spawn(id, &self.redis.broker_toml(), &self.config)?;
        node.wait_ready().await?;
        Ok(node)
    }

    /// From its next start on, the node at `index` lists the first `listed` of the independent Redis servers.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn list(&self, index: usize, listed: usize) -> anyhow::Result<()> {
        let broker = self.redis.broker_toml_of(listed);
        self.nodes[index].configure(&node_config(&broker, &self.config))
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

/// The layout that the environment names; one server without it.
fn usual_redis() -> anyhow::Result<RedisLayout> {
    std::env::var(REDIS_VARIABLE).map_or_else(|_| Ok(RedisLayout::default()), |text| text.parse())
}

fn spawn(id: &str, broker: &str, config: &str) -> anyhow::Result<NodeProcess> {
    NodeProcess::spawn_new(id, &node_config(broker, config))
}

fn node_config(broker: &str, config: &str) -> String {
    format!("[broker]\n{broker}{config}")
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
