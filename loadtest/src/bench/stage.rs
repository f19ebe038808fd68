//! What the benchmark measures: a cluster of its own, seen with its process numbers.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    cluster::{Cluster, Lots, REDIS},
    drivers::tokens::Tokens,
    fleet::Key,
    observe,
    scenario::{self, DriverKind},
};

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) pid: u32,
}

/// A private key and the folder of public keys that nodes trust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyFiles<'a> {
    pub(crate) private: &'a Path,
    pub(crate) trusted: &'a Path,
}

/// Redis and nodes, and what their tokens are signed with.
pub(crate) struct Stage {
    cluster: Cluster,
    pub(crate) tokens: Tokens,
}

impl Stage {
    /// Starts them. Tokens are signed with the cluster's own HS256 secret, or with `keys`.
    pub(crate) async fn set(binary: &Path, nodes: usize, keys: Option<KeyFiles<'_>>) -> anyhow::Result<Self> {
        let trusted = keys.map(|keys| {
            format!(
                "[auth]\npublic_keys_dir = {:?}\n",
                keys.trusted.display().to_string()
            )
        });
        let spec = scenario::Cluster {
            nodes,
            binary: Some(binary.to_owned()),
            config: trusted.unwrap_or_default(),
        };
        let cluster = Cluster::start(DriverKind::Switchboard, &spec, Lots::default()).await?;
        let key = match keys {
            Some(keys) => Key::Pem(keys.private.to_owned(), Some("bench".to_owned())),
            None => Key::Hs256(cluster.secret().clone()),
        };
        Ok(Self {
            tokens: Tokens::new(&key, None)?,
            cluster,
        })
    }

    /// Node `number`, from 0.
    pub(crate) fn node(&self, number: usize) -> anyhow::Result<Node> {
        let url = self.cluster.urls().get(number).cloned();
        Ok(Node {
            url: url.context("there is no such node")?,
            pid: self.pid(&format!("n{}", number + 1))?,
        })
    }

    pub(crate) fn redis_pid(&self) -> anyhow::Result<u32> {
        self.pid(REDIS)
    }

    pub(crate) fn redis_port(&self) -> u16 {
        self.cluster.redis_port()
    }

    fn pid(&self, name: &str) -> anyhow::Result<u32> {
        let server = self
            .cluster
            .servers()
            .into_iter()
            .find(|server| server.name == name);
        server
            .and_then(|server| server.pid)
            .with_context(|| format!("{name} does not run"))
    }

    /// Commands that Redis has carried out since it was started.
    pub(crate) async fn redis_commands(&self) -> anyhow::Result<u64> {
        let mut redis = TcpStream::connect((Ipv4Addr::LOCALHOST, self.redis_port())).await?;
        redis.write_all(b"INFO stats\r\nQUIT\r\n").await?;
        let mut answer = String::new();
        redis.read_to_string(&mut answer).await?;
        let count = answer
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        Ok(count
            .context("Redis does not count its commands")?
            .trim()
            .parse()?)
    }
}

/// CPU time of several processes over a span.
pub(crate) struct CpuMeter {
    pids: Vec<u32>,
    before: Duration,
}

impl CpuMeter {
    /// Counts from now.
    pub(crate) fn start(pids: &[u32]) -> anyhow::Result<Self> {
        Ok(Self {
            pids: pids.to_vec(),
            before: total(pids)?,
        })
    }

    /// Microseconds since the start, summed over the processes.
    pub(crate) fn micros(&self) -> anyhow::Result<f64> {
        Ok(total(&self.pids)?.saturating_sub(self.before).as_secs_f64() * 1e6)
    }
}

fn total(pids: &[u32]) -> anyhow::Result<Duration> {
    pids.iter().map(|pid| observe::cpu(*pid)).sum()
}
