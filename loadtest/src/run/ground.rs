//! The servers of one repeat: a cluster of our own, or servers that are there already; and what opens their doors.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use switchboard_protocol::Secret;

use crate::{
    cluster::{Cluster, Lots, Server},
    faults::Controls,
    fleet::Key,
    scenario::{Scenario, Target},
};

/// The servers of one repeat.
#[derive(Clone)]
pub(super) enum Ground {
    /// Started for it, ended with it.
    Own(Arc<Cluster>),
    /// Somebody else's.
    Theirs(Arc<Target>),
}

impl Ground {
    /// Starts a cluster, unless servers are named.
    pub(super) async fn set(scenario: &Scenario, connections: usize) -> anyhow::Result<Self> {
        if !scenario.target.urls.is_empty() {
            return Ok(Self::Theirs(Arc::new(scenario.target.clone())));
        }
        let lots = Lots { connections };
        let cluster = Cluster::start(scenario.target.driver, &scenario.cluster, lots).await?;
        Ok(Self::Own(Arc::new(cluster)))
    }

    pub(super) fn urls(&self) -> Vec<String> {
        match self {
            Self::Own(cluster) => cluster.urls(),
            Self::Theirs(target) => target.urls.clone(),
        }
    }

    /// All servers as they are now.
    pub(super) fn servers(&self) -> Vec<Server> {
        match self {
            Self::Own(cluster) => cluster.servers(),
            Self::Theirs(target) => {
                let numbered = target.ops_urls.iter().enumerate();
                let servers = numbered.map(|(index, url)| Server {
                    name: format!("n{}", index + 1),
                    pid: None,
                    ops_url: Some(url.clone()),
                    version: None,
                });
                servers.collect()
            }
        }
    }

    pub(super) fn controls(&self) -> Controls {
        match self {
            Self::Own(cluster) => Controls::Own(Arc::clone(cluster)),
            Self::Theirs(target) => Controls::Ops(target.ops_urls.clone()),
        }
    }

    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        match self {
            Self::Own(cluster) => cluster.versions(),
            Self::Theirs(_) => BTreeMap::new(),
        }
    }

    /// Keeps the servers' logs, for whoever wants to know what went wrong, and says where.
    pub(super) fn keep_logs(&self) {
        if let Self::Own(cluster) = self {
            eprintln!("the servers' logs are in {}", cluster.keep_logs().display());
        }
    }

    /// What tokens are signed with.
    pub(super) fn key(&self) -> anyhow::Result<Key> {
        let target = match self {
            Self::Own(cluster) => return Ok(Key::Hs256(cluster.secret().clone())),
            Self::Theirs(target) => target,
        };
        match (&target.secret_file, &target.key_file) {
            (Some(file), _) => {
                let secret = std::fs::read_to_string(file)
                    .with_context(|| format!("target.secret_file {} cannot be read", file.display()))?;
                Ok(Key::Hs256(Secret::new(secret.trim_end())))
            }
            (None, Some(file)) => Ok(Key::Pem(file.clone(), target.key_id.clone())),
            (None, None) => Ok(Key::Own),
        }
    }
}
