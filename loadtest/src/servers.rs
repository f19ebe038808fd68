//! The servers of one repeat: a cluster that is started for it, or servers that are there already. What can be read
//! from them and done to them, and the key that opens them.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use switchboard_harness::{Process, RedisDeployment};
use switchboard_protocol::Secret;

use crate::{
    cluster::{Cluster, Lots, Server},
    fleet::Key,
    observe::Ops,
    scenario::{Scenario, Target},
};

/// The servers. Clones share them; a cluster ends with the last one.
#[derive(Clone)]
pub(crate) struct Servers {
    cluster: Option<Arc<Cluster>>,
    target: Arc<Target>,
    ops: Ops,
}

impl Servers {
    /// Starts a cluster for so many connections, unless the scenario names servers.
    pub(crate) async fn start(scenario: &Scenario, connections: usize) -> anyhow::Result<Self> {
        let (target, lots) = (&scenario.target, Lots { connections });
        let cluster = if target.urls.is_empty() {
            Some(Arc::new(
                Cluster::start(target.driver, &scenario.cluster, lots).await?,
            ))
        } else {
            None
        };
        Ok(Self {
            cluster,
            target: Arc::new(target.clone()),
            ops: Ops::new()?,
        })
    }

    /// Where they take clients.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.cluster
            .as_ref()
            .map_or_else(|| self.target.urls.clone(), |cluster| cluster.urls())
    }

    /// All servers as they are now. `ops_url` is where figures can be read.
    pub(crate) fn list(&self) -> Vec<Server> {
        let Some(cluster) = &self.cluster else {
            let numbered = self.target.ops_urls.iter().zip(1..);
            let servers = numbered.map(|(url, number)| Server {
                name: format!("n{number}"),
                pid: None,
                ops_url: Some(url.clone()),
                version: None,
            });
            return servers.collect();
        };
        cluster.servers()
    }

    /// The nodes that a `roll` takes in turn; none where other people run the servers.
    pub(crate) fn nodes(&self) -> Vec<String> {
        self.cluster
            .as_ref()
            .map(|cluster| cluster.nodes())
            .unwrap_or_default()
    }

    /// The process of that server, for faults that need control of it.
    ///
    /// # Errors
    /// When there is no such server, or this program has not started it.
    pub(crate) fn process(&self, name: &str) -> anyhow::Result<&Process> {
        self.own()?.process(name)
    }

    /// The Redis servers, for faults of all of them.
    ///
    /// # Errors
    /// When this program has not started them.
    pub(crate) fn redis(&self) -> anyhow::Result<&RedisDeployment> {
        self.own().map(Cluster::redis)
    }

    fn own(&self) -> anyhow::Result<&Cluster> {
        let own = self.cluster.as_deref();
        own.context("these servers were not started by this program; use `run` with a command")
    }

    /// `drain` or `undrain` at the operations port of a node.
    ///
    /// # Errors
    /// When it has none, or does not agree.
    pub(crate) async fn post(&self, node: &str, what: &str) -> anyhow::Result<()> {
        let server = self.list().into_iter().find(|server| server.name == node);
        let url = server.and_then(|server| server.ops_url);
        self.ops
            .post(
                &url.with_context(|| format!("`{node}` has no address in `ops_urls`"))?,
                what,
            )
            .await
    }

    /// Versions by program.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        self.cluster
            .as_ref()
            .map(|cluster| cluster.versions())
            .unwrap_or_default()
    }

    /// Keeps the servers' logs and prints where they are.
    pub(crate) fn keep_logs(&self) {
        if let Some(cluster) = &self.cluster {
            eprintln!("the servers' logs are in {}", cluster.keep_logs().display());
        }
    }

    /// What tokens are signed with: the target's key, or else the secret of the own cluster.
    ///
    /// # Errors
    /// When the file with the secret cannot be read.
    pub(crate) fn key(&self) -> anyhow::Result<Key> {
        let Target {
            secret_file,
            key_file,
            key_id,
            ..
        } = &*self.target;
        if let Some(file) = key_file {
            return Ok(Key::Pem(file.clone(), key_id.clone()));
        }
        if let Some(cluster) = &self.cluster {
            return Ok(Key::Hs256(cluster.secret().clone()));
        }
        let Some(file) = secret_file else {
            return Ok(Key::Own);
        };
        let secret = std::fs::read_to_string(file);
        let secret =
            secret.with_context(|| format!("target.secret_file {} cannot be read", file.display()))?;
        Ok(Key::Hs256(Secret::new(secret.trim_end())))
    }
}
