//! Redis for the broker's tests: a server of the test's own, or a bus of any mode with a name of the test's own.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use switchboard_broker::{RedisConfig, RedisCredentials, RedisMode, RedisTls};
use switchboard_harness::{
    Certificate, DeploymentOptions, PATIENCE, RedisDeployment, RedisLayout, RedisOptions, RedisServer,
    SENTINEL_MASTER, find_program, find_redis, or_skip, wait_until,
};
use switchboard_protocol::Secret;
use tokio::sync::Mutex;

use super::{Node, configured_node, redis_node};

/// The modes that nodes serve.
const SERVED: [&str; 4] = ["standalone", "sentinel", "cluster", "sharded"];

/// Starts a Redis, or ends the test where there is none.
macro_rules! redis {
    () => {
        redis!(switchboard_harness::RedisOptions::default())
    };
    ($options:expr) => {
        match common::redis::redis_server($options).await {
            Some(redis) => redis,
            None => return,
        }
    };
}

/// A Redis; `None`, with the reason printed, where there is no redis-server, which CI does not accept.
pub(crate) async fn redis_server(options: RedisOptions) -> Option<RedisServer> {
    or_skip(find_program("redis-server"))?;
    Some(RedisServer::start_with(options).await.unwrap())
}

/// A node on this Redis, which it has reached.
pub(crate) async fn node(redis: &RedisServer, name: &str) -> Node {
    let node = redis_node(name, &redis.url());
    node.is_up().await;
    node
}

/// Servers of the test's own; `None`, with the reason printed, where there is no redis-server, which CI does not accept.
pub(crate) async fn deployment(layout: &str, options: DeploymentOptions) -> Option<RedisDeployment> {
    or_skip(find_program("redis-server"))?;
    let started = RedisDeployment::start_with(layout.parse().unwrap(), options).await;
    Some(started.unwrap())
}

/// What a node needs to reach these servers.
pub(crate) fn config(redis: &RedisDeployment) -> RedisConfig {
    let (mode, is_sentinel) = match redis.layout() {
        RedisLayout::Standalone => (RedisMode::Standalone, false),
        RedisLayout::Sentinel { .. } => (RedisMode::Sentinel, true),
        RedisLayout::Cluster { .. } => (RedisMode::Cluster, false),
        RedisLayout::Sharded { .. } => (RedisMode::Sharded, false),
    };
    let server = &redis.options().server;
    let read = |file: &Path| std::fs::read_to_string(file).unwrap();
    let client = |client: &Certificate| (read(&client.certificate), Secret::new(read(&client.key)));
    let tls = server.tls.as_ref().map(|tls| RedisTls {
        authorities: Some(read(&tls.ca_file())),
        client: tls.client().map(client),
    });
    // The URLs have the password of the servers that they name, and behind Sentinels those are others.
    let password = server.password.as_ref().filter(|_| is_sentinel);
    RedisConfig {
        mode,
        urls: redis.urls().into_iter().map(Secret::new).collect(),
        credentials: RedisCredentials {
            password: password.map(Secret::new),
            ..RedisCredentials::default()
        },
        sentinel_master: if is_sentinel { SENTINEL_MASTER } else { "" }.to_owned(),
        tls: tls.unwrap_or_default(),
        ..RedisConfig::new("")
    }
}

/// Two nodes that have reached every server; all of these peers are on the second, with the sessions 1, 2 ….
pub(crate) async fn two_nodes(config: &RedisConfig, peers: impl IntoIterator<Item = String>) -> (Node, Node) {
    let (n1, n2) = (configured_node("n1", config), configured_node("n2", config));
    n1.is_up().await;
    n2.is_up().await;
    for (session, peer) in (1..).zip(peers) {
        assert!(n2.attach(&peer, session).await.confirmed);
    }
    (n1, n2)
}

/// Redis servers of any mode, and the beginning of every name that belongs to the test.
pub(crate) struct RedisBus {
    deployment: Arc<RedisDeployment>,
    key_prefix: String,
}

impl RedisBus {
    /// `None`, with the reason printed, where there is no redis-server, which CI does not accept.
    pub(crate) async fn start(layout: &str) -> Option<Self> {
        or_skip(find_program("redis-server"))?;
        Some(Self::of(shared(layout.parse().unwrap(), None).await))
    }

    /// The same with servers of this release; `None` where it is not installed, which CI does not accept.
    pub(crate) async fn of_release(release: &str, layout: &str) -> Option<Self> {
        let program = or_skip(find_redis(release))?;
        Some(Self::of(shared(layout.parse().unwrap(), Some(program)).await))
    }

    fn of(deployment: Arc<RedisDeployment>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            deployment,
            key_prefix: format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// A node that has reached every server.
    pub(crate) async fn node(&self, name: &str) -> Node {
        let config = RedisConfig {
            key_prefix: self.key_prefix.clone(),
            ..config(&self.deployment)
        };
        let node = configured_node(name, &config);
        node.is_up().await;
        node
    }
}

/// A layout, and the program of its servers, unless it is that on PATH.
type Servers = (RedisLayout, Option<PathBuf>);

/// The servers of this layout: those of the tests that run now, or new ones. A cluster needs two seconds to start, so
/// tests share one; their names in Redis begin differently. The last test that has them ends them.
async fn shared(layout: RedisLayout, program: Option<PathBuf>) -> Arc<RedisDeployment> {
    static RUNNING: OnceLock<Mutex<HashMap<Servers, Weak<RedisDeployment>>>> = OnceLock::new();
    let servers = (layout, program);
    let mut running = RUNNING.get_or_init(Mutex::default).lock().await;
    if let Some(deployment) = running.get(&servers).and_then(Weak::upgrade) {
        return deployment;
    }
    let mut options = DeploymentOptions::default();
    options.server.program.clone_from(&servers.1);
    let started = Arc::new(RedisDeployment::start_with(layout, options).await.unwrap());
    running.insert(servers, Arc::downgrade(&started));
    started
}

/// Waits until the metrics of `node` name the masters of the moment and no other server, and the node is on the bus of each.
pub(crate) async fn metrics_name_the_masters(redis: &RedisDeployment, node: &Node) {
    let masters = redis.masters().await;
    let wanted: BTreeSet<String> = masters
        .iter()
        .map(|master| {
            format!(
                "switchboard_bus_up{{shard=\"127.0.0.1:{}\"}} 1",
                master.shared_port()
            )
        })
        .collect();
    let of_bus = || -> BTreeSet<String> {
        let text = node.telemetry.render().unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("switchboard_bus_up{"));
        lines.map(str::to_owned).collect()
    };
    let are_named = async || (of_bus() == wanted).then_some(());
    let named = wait_until("the metrics name the masters", PATIENCE, are_named).await;
    assert!(named.is_ok(), "{:?} and not {wanted:?}", of_bus());
}
