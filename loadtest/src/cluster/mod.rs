//! The servers that are started for a run, and what can be done to them by name. How a process is started, killed and
//! waited for is the harness's; when something is done to one is for `faults`.

mod config;
mod start;

#[cfg(test)]
mod real_tests;

use std::{collections::BTreeMap, path::PathBuf};

use parking_lot::Mutex;
use switchboard_harness::Process;
pub(crate) use switchboard_harness::REDIS;
use switchboard_protocol::Secret;
use tempfile::TempDir;

/// How much load will come. The nodes' own limits are set above it, because the measurement is not about them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lots {
    /// Connections over all nodes.
    pub(crate) connections: usize,
}

/// A server of the run: one of a [`Cluster`], or an external one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// `n1`, `n2` …, `redis`.
    pub(crate) name: String,
    /// Its process, while it runs on this machine; another one after each start.
    pub(crate) pid: Option<u32>,
    /// Where its figures can be read: the root of its operations port (`http://127.0.0.1:9090`), or `redis://…`.
    pub(crate) ops_url: Option<String>,
    /// Its version, where it says.
    pub(crate) version: Option<String>,
}

/// A server that runs as a child of this program.
struct Local {
    process: Process,
    ops_url: Option<String>,
    /// The name under which its version is reported.
    program: String,
    version: Option<String>,
}

/// A Redis and some nodes; all killed when dropped, also those that are frozen. Methods take `&self`, so that faults
/// and observers share it.
pub(crate) struct Cluster {
    /// The Redis first, then the nodes in the order of their names.
    servers: Vec<Local>,
    urls: Vec<String>,
    secret: Secret,
    /// Logs and configuration. After the servers: it goes when they are gone.
    folder: Mutex<TempDir>,
}

impl Cluster {
    /// Where the nodes take clients, in the order of their names.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }

    /// What the nodes trust: HS256, made for this cluster.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// All servers as they are now.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let servers = self.servers.iter().map(|local| Server {
            name: local.process.name().to_owned(),
            pid: local.process.pid(),
            ops_url: local.ops_url.clone(),
            version: local.version.clone(),
        });
        servers.collect()
    }

    /// The names of the nodes, without the Redis.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let names = self.servers.iter().map(|local| local.process.name());
        names.filter(|name| *name != REDIS).map(str::to_owned).collect()
    }

    /// Versions by program: `redis` → `7.0.15`.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let versions = self.servers.iter().filter_map(|local| {
            let version = local.version.clone()?;
            Some((local.program.clone(), version))
        });
        versions.collect()
    }

    /// Keeps logs and configuration beyond the end of the cluster; where they are.
    pub(crate) fn keep_logs(&self) -> PathBuf {
        let mut folder = self.folder.lock();
        folder.disable_cleanup(true);
        folder.path().to_owned()
    }

    /// The process of that server, to kill, stop, start, freeze or thaw it. A stopped node drains first, which takes as
    /// long as its `[drain]` says. A Redis comes back empty.
    ///
    /// # Errors
    /// When there is no such server.
    pub(crate) fn process(&self, name: &str) -> anyhow::Result<&Process> {
        let found = self.servers.iter().find(|local| local.process.name() == name);
        let found = found.map(|local| &local.process);
        found.ok_or_else(|| {
            let names: Vec<_> = self.servers.iter().map(|local| local.process.name()).collect();
            anyhow::anyhow!("there is no server `{name}`; there are {}", names.join(", "))
        })
    }
}
