//! What can be done to the servers of a run, ours or others'.

use std::sync::Arc;

use anyhow::Context as _;

use crate::{cluster::Cluster, observe::Ops};

/// The levers. Servers are called `n1`, `n2` …, `redis`.
#[derive(Clone)]
pub(crate) enum Controls {
    /// A cluster of our own: everything.
    Own(Arc<Cluster>),
    /// Servers that somebody else runs, by their operations addresses in order: drain and undrain only.
    Ops(Vec<String>),
}

impl Controls {
    /// The nodes that can be rolled.
    pub(super) fn nodes(&self) -> Vec<String> {
        match self {
            Self::Own(cluster) => cluster.nodes(),
            Self::Ops(_) => Vec::new(),
        }
    }

    /// Our own cluster, for what only works there.
    pub(super) fn own(&self) -> anyhow::Result<&Cluster> {
        match self {
            Self::Own(cluster) => Ok(cluster),
            Self::Ops(_) => {
                anyhow::bail!("these servers were not started by this program; use `run` with a command")
            }
        }
    }

    pub(super) async fn drain(&self, server: &str) -> anyhow::Result<()> {
        Ops::new()?.drain(self.ops_url(server)?).await
    }

    pub(super) async fn undrain(&self, server: &str) -> anyhow::Result<()> {
        Ops::new()?.undrain(self.ops_url(server)?).await
    }

    fn ops_url(&self, server: &str) -> anyhow::Result<&str> {
        match self {
            Self::Own(cluster) => cluster.ops_url(server),
            Self::Ops(urls) => {
                let url = node_index(server).and_then(|index| urls.get(index));
                let url = url.with_context(|| format!("`{server}` has no address in `ops_urls`"))?;
                Ok(url)
            }
        }
    }
}

/// The place of `n1`, `n2` … among the nodes, from 0.
fn node_index(server: &str) -> Option<usize> {
    let number: usize = server.strip_prefix('n')?.parse().ok()?;
    number.checked_sub(1)
}
