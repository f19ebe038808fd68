//! Starting a cluster: Redis first, then the nodes together.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use switchboard_harness::{
    DeploymentOptions, NodeProcess, RedisDeployment, RedisOptions, RedisTls, binary, program_version,
    rivals::Rival,
};
use switchboard_protocol::Secret;
use tempfile::TempDir;

use super::{
    Cluster, Local, Lots,
    config::{NodeConfig, broker},
    plain_url,
};
use crate::scenario::{self, DriverKind};

/// The most nodes of one cluster; each is a process with its share of the machine.
const MAX_NODES: usize = 64;

/// Random bytes in the secret that tokens are signed with.
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
            (1..=MAX_NODES).contains(&spec.nodes),
            "`nodes` in `[cluster]` is {}; it can be 1 to {MAX_NODES}",
            spec.nodes
        );
        let mut folder = TempDir::with_prefix("switchboard-loadtest-")?;
        match start(driver, spec, lots, folder.path()).await {
            Ok(started) => Ok(Self {
                redis_version: program_version(Path::new("redis-server"), "--version").await.ok(),
                redis: started.redis,
                servers: started.servers,
                urls: started.urls,
                secret: started.secret,
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
    redis: RedisDeployment,
    servers: Vec<Local>,
    /// Where clients connect.
    urls: Vec<String>,
    secret: Secret,
}

async fn start(
    driver: DriverKind,
    spec: &scenario::Cluster,
    lots: Lots,
    folder: &Path,
) -> anyhow::Result<Started> {
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>()));
    let redis = redis(spec, folder).await?;
    let (servers, urls) = match driver {
        DriverKind::Switchboard => {
            let config = NodeConfig {
                secret: &secret,
                broker: broker(&redis)?,
                lots,
            };
            nodes(spec, &config.text(&spec.config)?, folder).await?
        }
        DriverKind::Redis => (Vec::new(), redis.servers().iter().map(plain_url).collect()),
        DriverKind::Peerjs => rivals(Rival::Peerjs, spec.nodes, redis.port(), folder).await?,
        DriverKind::Socketio => rivals(Rival::Socketio, spec.nodes, redis.port(), folder).await?,
        DriverKind::Spreed => rivals(Rival::Spreed, spec.nodes, redis.port(), folder).await?,
    };
    Ok(Started {
        redis,
        servers,
        urls,
        secret,
    })
}

async fn redis(spec: &scenario::Cluster, folder: &Path) -> anyhow::Result<RedisDeployment> {
    let server = RedisOptions {
        tls: spec.redis_tls.then(RedisTls::mutual).transpose()?,
        ..RedisOptions::default()
    };
    let options = DeploymentOptions {
        server,
        ..DeploymentOptions::default()
    };
    RedisDeployment::start_in(folder, spec.redis, options).await
}

/// A rival's servers and their client URLs.
async fn rivals(
    rival: Rival,
    nodes: usize,
    redis_port: u16,
    folder: &Path,
) -> anyhow::Result<(Vec<Local>, Vec<String>)> {
    let version = rival.version().await?;
    let (mut started, mut urls) = (Vec::new(), Vec::new());
    for server in rival.servers(nodes, redis_port, folder)? {
        server.process.start().await?;
        urls.push(server.url);
        started.push(Local {
            process: server.process,
            ops_url: None,
            program: server.program.to_owned(),
            version: Some(version.clone()),
        });
    }
    Ok((started, urls))
}

/// The nodes and their client URLs.
async fn nodes(
    spec: &scenario::Cluster,
    config: &str,
    folder: &Path,
) -> anyhow::Result<(Vec<Local>, Vec<String>)> {
    let binary = binary(spec.binary.as_deref())?;
    let version = program_version(&binary, "--version").await.ok();
    let ids = (1..=spec.nodes).map(|number| format!("n{number}"));
    let nodes = ids.map(|id| NodeProcess::spawn_in(folder, &binary, &id, config));
    let nodes = nodes.collect::<anyhow::Result<Vec<_>>>()?;
    try_join_all(nodes.iter().map(|node| node.wait_ready())).await?;
    let urls = nodes.iter().map(NodeProcess::url).collect();
    let locals = nodes.into_iter().map(|node| Local {
        ops_url: Some(node.ops_url()),
        process: node.into_process(),
        program: "switchboard".to_owned(),
        version: version.clone(),
    });
    Ok((locals.collect(), urls))
}
