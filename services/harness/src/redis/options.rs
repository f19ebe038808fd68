//! What the servers of a deployment are started with.

use std::time::Duration;

use super::RedisOptions;

/// What the servers are started with.
#[derive(Debug, Clone)]
pub struct DeploymentOptions {
    /// Every data server. Sentinels share its program and certificates.
    pub server: RedisOptions,
    /// `cluster-node-timeout`: how long a member of a cluster is silent until it counts as down.
    pub cluster_node_timeout: Duration,
    /// `down-after-milliseconds`: the same for a master that Sentinels watch.
    pub down_after: Duration,
    /// The password that Sentinels ask for.
    pub sentinel_password: Option<String>,
}

impl Default for DeploymentOptions {
    fn default() -> Self {
        Self {
            server: RedisOptions::default(),
            cluster_node_timeout: Duration::from_secs(2),
            down_after: Duration::from_secs(1),
            sentinel_password: None,
        }
    }
}
