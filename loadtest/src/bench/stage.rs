//! What is measured: a real redis-server and real nodes as children on free ports, stopped when dropped.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::Secret;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::peers::{SECRET, token};

/// How long a child may take to come up.
const START: Duration = Duration::from_secs(15);

/// A child process, killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One node.
pub(crate) struct Node {
    process: Process,
    pub(crate) url: String,
}

impl Node {
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// Redis and nodes.
pub(crate) struct Stage {
    redis: Process,
    pub(crate) redis_port: u16,
    folder: TempDir,
    binary: PathBuf,
}

impl Stage {
    pub(crate) fn set(binary: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            binary.exists(),
            "{} is missing; cargo build --release -p switchboard-node",
            binary.display()
        );
        let redis_port = free_port()?;
        let redis = Command::new("redis-server")
            .args([
                "--port",
                &redis_port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server cannot be started; run scripts/setup")?;
        let stage = Self {
            redis: Process(redis),
            redis_port,
            folder: tempfile::tempdir()?,
            binary: binary.to_owned(),
        };
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, redis_port)).is_err() {
            anyhow::ensure!(start.elapsed() < START, "redis-server does not answer");
        }
        Ok(stage)
    }

    pub(crate) fn redis_pid(&self) -> u32 {
        self.redis.0.id()
    }

    /// Commands that Redis has carried out since it was started.
    pub(crate) async fn redis_commands(&self) -> anyhow::Result<u64> {
        let mut redis = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.redis_port)).await?;
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

    /// A folder that is removed at the end.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a node and waits until it takes a connection. `auth` is its `[auth]` section; `minter` signs for it.
    pub(crate) async fn node(&self, id: &str, auth: &str, minter: &Minter) -> anyhow::Result<Node> {
        let (public, ops) = (free_port()?, free_port()?);
        let file = self.folder().join(format!("{id}.toml"));
        let config = format!(
            "[node]\nid = \"{id}\"\n[server]\nlisten = \"127.0.0.1:{public}\"\nops_listen = \"127.0.0.1:{ops}\"\n\
             [auth]\n{auth}\n[broker]\nredis_urls = [\"redis://127.0.0.1:{}\"]\n\
             [limits]\nmessages_per_second = 1000000\nmessage_burst = 1000000\nconnects_per_second = 1000000\n",
            self.redis_port
        );
        std::fs::write(&file, config)?;
        let log = std::fs::File::create(self.folder().join(format!("{id}.log")))?;
        let child = Command::new(&self.binary)
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .stderr(log)
            .spawn()?;
        let node = Node {
            process: Process(child),
            url: format!("ws://127.0.0.1:{public}/v1/ws"),
        };
        let probe = ConnectOptions::new(&node.url, token(minter, &format!("probe-of-{id}"))?);
        let start = Instant::now();
        loop {
            match Client::connect(&probe).await {
                Ok(client) => {
                    client.close().await;
                    return Ok(node);
                }
                Err(error) if start.elapsed() > START => {
                    return Err(error).context("the node does not come up");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// The `[auth]` section and the signer of the benchmark's shared secret.
pub(crate) fn shared_secret() -> anyhow::Result<(String, Minter)> {
    Ok((
        format!("hs256_secret = \"{SECRET}\""),
        Minter::hs256(&Secret::new(SECRET))?,
    ))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
