//! Starting a cluster: the Redis, then the nodes, all waited for.

use std::{ffi::OsString, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use switchboard_protocol::Secret;
use tempfile::TempDir;

use super::{
    Cluster, Lots, REDIS, binary,
    config::NodeConfig,
    ports::free_port,
    process::{Process, Recipe},
    rivals,
    server::{Local, Sign},
};
use crate::{
    observe::{Ops, program_version},
    scenario::{self, DriverKind},
};

/// Nodes of one cluster; each is a process with its share of the machine.
const MOST_NODES: usize = 64;

/// Bytes of chance in the secret that tokens are signed with.
const SECRET_BYTES: usize = 32;

impl Cluster {
    /// Starts servers of that kind and waits until all serve.
    ///
    /// # Errors
    /// When a program is missing, the configuration is wrong, or a server does not come up: with the end of its log
    /// and the folder of all logs, which then stays.
    pub(crate) async fn start(
        driver: DriverKind,
        spec: &scenario::Cluster,
        lots: Lots,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            (1..=MOST_NODES).contains(&spec.nodes),
            "`nodes` in `[cluster]` is {}; it can be 1 to {MOST_NODES}",
            spec.nodes
        );
        let mut folder = TempDir::with_prefix("switchboard-loadtest-")?;
        match start(driver, spec, lots, folder.path()).await {
            Ok(Started {
                servers,
                redis_port,
                urls,
                secret,
                ops,
            }) => Ok(Self {
                servers,
                redis_port,
                urls,
                secret,
                ops,
                folder: Mutex::new(folder),
            }),
            Err(error) => {
                folder.disable_cleanup(true);
                let logs = format!(
                    "the cluster was not started; its logs are in {}",
                    folder.path().display()
                );
                Err(error.context(logs))
            }
        }
    }
}

struct Started {
    servers: Vec<Local>,
    redis_port: u16,
    urls: Vec<String>,
    secret: Secret,
    ops: Ops,
}

async fn start(
    driver: DriverKind,
    spec: &scenario::Cluster,
    lots: Lots,
    folder: &Path,
) -> anyhow::Result<Started> {
    let ops = Ops::new()?;
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>()));
    let redis_port = free_port()?;
    let mut servers = vec![redis(redis_port, folder, &ops).await?];
    let urls = match driver {
        DriverKind::Switchboard => {
            let nodes = Nodes {
                spec,
                lots,
                folder,
                secret: &secret,
                redis_port,
            };
            let (nodes, urls) = nodes.start(&ops).await?;
            servers.extend(nodes);
            urls
        }
        DriverKind::Redis => vec![format!("redis://127.0.0.1:{redis_port}")],
        DriverKind::Peerjs | DriverKind::Socketio | DriverKind::Spreed => {
            let mut urls = Vec::new();
            for rival in rivals::servers(driver, spec.nodes, redis_port, folder).await? {
                rival.local.process.spawn()?;
                rival.local.serves(&ops).await?;
                servers.push(rival.local);
                urls.push(rival.url);
            }
            urls
        }
    };
    Ok(Started {
        servers,
        redis_port,
        urls,
        secret,
        ops,
    })
}

async fn redis(port: u16, folder: &Path, ops: &Ops) -> anyhow::Result<Local> {
    let port_text = port.to_string();
    // No persistence: what is killed has lost everything.
    let arguments = [
        "--port",
        &port_text,
        "--bind",
        "127.0.0.1",
        // Protected mode takes 127.0.0.1 alone for loopback; peers of the floor come from other addresses of it.
        "--protected-mode",
        "no",
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    let recipe = Recipe {
        program: "redis-server".into(),
        arguments: arguments.map(OsString::from).to_vec(),
        environment: Vec::new(),
        log: folder.join("redis.log"),
    };
    let redis = Local {
        process: Process::new(REDIS, recipe),
        sign: Sign::Pong(port),
        ops_url: None,
        program: REDIS.to_owned(),
        version: program_version(Path::new("redis-server")).await,
    };
    redis
        .process
        .spawn()
        .context("redis-server is needed; install it with `scripts/setup`")?;
    redis.serves(ops).await?;
    Ok(redis)
}

struct Nodes<'a> {
    spec: &'a scenario::Cluster,
    lots: Lots,
    folder: &'a Path,
    secret: &'a Secret,
    redis_port: u16,
}

impl Nodes<'_> {
    /// The nodes and where they take clients.
    async fn start(&self, ops: &Ops) -> anyhow::Result<(Vec<Local>, Vec<String>)> {
        let binary = binary::find(self.spec.binary.as_deref())?;
        let version = program_version(&binary).await;
        let (mut nodes, mut urls) = (Vec::new(), Vec::new());
        for number in 1..=self.spec.nodes {
            let (node, url) = self.node(&format!("n{number}"), &binary, version.clone())?;
            node.process.spawn()?;
            nodes.push(node);
            urls.push(url);
        }
        try_join_all(nodes.iter().map(|node| node.serves(ops))).await?;
        Ok((nodes, urls))
    }

    fn node(&self, id: &str, binary: &Path, version: Option<String>) -> anyhow::Result<(Local, String)> {
        let (public, ops) = (free_port()?, free_port()?);
        let config = NodeConfig {
            id,
            public,
            ops,
            secret: self.secret,
            redis_port: self.redis_port,
            lots: self.lots,
        };
        let file = self.folder.join(format!("{id}.toml"));
        std::fs::write(&file, config.text(&self.spec.config)?)
            .with_context(|| format!("{} cannot be written", file.display()))?;
        let recipe = Recipe {
            program: binary.to_owned(),
            arguments: vec!["serve".into(), "--config".into(), file.into()],
            environment: Vec::new(),
            log: self.folder.join(format!("{id}.log")),
        };
        let node = Local {
            process: Process::new(id, recipe),
            sign: Sign::Ready,
            ops_url: Some(format!("http://127.0.0.1:{ops}")),
            program: "switchboard".to_owned(),
            version,
        };
        Ok((node, format!("ws://127.0.0.1:{public}/v1/ws")))
    }
}
