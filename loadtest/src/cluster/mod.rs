//! The servers that are started for a run, and what can be done to them by name. How a process is started, killed and
//! waited for is the harness's; when something is done to one is for `faults`.

mod config;
mod start;

#[cfg(test)]
mod real_tests;

use std::{collections::BTreeMap, path::PathBuf};

use parking_lot::Mutex;
pub(crate) use switchboard_harness::REDIS;
use switchboard_harness::{Process, RedisDeployment, RedisServer};
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
    /// `n1`, `n2` …, `redis`; of several Redis servers `redis-1`, `sentinel-1` ….
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

/// Whether a server of this name is a Redis or a Sentinel.
pub(crate) fn is_redis(name: &str) -> bool {
    name == REDIS || name.starts_with("redis-") || name.starts_with("sentinel-")
}

/// Redis and some nodes; all killed when dropped, also those that are frozen. Methods take `&self`, so that faults
/// and observers share it.
pub(crate) struct Cluster {
    redis: RedisDeployment,
    redis_version: Option<String>,
    /// The nodes in the order of their names.
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

    /// All servers as they are now, those of Redis first.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let redis = self.redis.servers().iter().chain(self.redis.sentinels());
        let redis = redis.map(|server| Server {
            name: server.name().to_owned(),
            pid: server.pid(),
            ops_url: Some(plain_url(server)),
            version: self.redis_version.clone(),
        });
        let nodes = self.servers.iter().map(|local| Server {
            name: local.process.name().to_owned(),
            pid: local.process.pid(),
            ops_url: local.ops_url.clone(),
            version: local.version.clone(),
        });
        redis.chain(nodes).collect()
    }

    /// The names of the nodes.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let names = self.servers.iter().map(|local| local.process.name());
        names.map(str::to_owned).collect()
    }

    /// The Redis servers, for faults of all of them.
    pub(crate) const fn redis(&self) -> &RedisDeployment {
        &self.redis
    }

    /// Versions by program: `redis` → `7.0.15`.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let versions = self.servers.iter().filter_map(|local| {
            let version = local.version.clone()?;
            Some((local.program.clone(), version))
        });
        let redis = self
            .redis_version
            .clone()
            .map(|version| (REDIS.to_owned(), version));
        versions.chain(redis).collect()
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
        let all = || {
            self.redis
                .processes()
                .chain(self.servers.iter().map(|local| &local.process))
        };
        all().find(|process| process.name() == name).ok_or_else(|| {
            let names: Vec<_> = all().map(Process::name).collect();
            anyhow::anyhow!("there is no server `{name}`; there are {}", names.join(", "))
        })
    }
}

/// Where this program asks a Redis for its figures; its plain port, also where nodes use TLS.
fn plain_url(server: &RedisServer) -> String {
    format!("redis://{}", server.address())
}
