//! Starting the servers of a deployment, together, until they are what their mode is.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    DeploymentOptions, REDIS, RedisDeployment, RedisLayout, RedisServer, cluster,
    roles::{Role, role},
    sentinel,
    server::Ports,
};
use crate::{Port, wait::Wait};

/// How long replicas may take to get their master's data.
const REPLICATED_WITHIN: Duration = Duration::from_secs(30);

impl RedisDeployment {
    /// Starts the servers and waits until they serve.
    ///
    /// # Errors
    /// When redis-server is missing, or a server does not come up; with the end of its log.
    pub async fn start(layout: RedisLayout) -> anyhow::Result<Self> {
        Self::start_with(layout, DeploymentOptions::default()).await
    }

    /// As [`RedisDeployment::start`], with options.
    ///
    /// # Errors
    /// As [`RedisDeployment::start`].
    pub async fn start_with(layout: RedisLayout, options: DeploymentOptions) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let deployment = Self::start_in(folder.path(), layout, options).await?;
        Ok(Self {
            _folder: Some(folder),
            ..deployment
        })
    }

    /// As [`RedisDeployment::start_with`], with logs and data in `folder`.
    ///
    /// # Errors
    /// As [`RedisDeployment::start`].
    pub async fn start_in(
        folder: &Path,
        layout: RedisLayout,
        options: DeploymentOptions,
    ) -> anyhow::Result<Self> {
        let (mut servers, mut buses) = (Vec::new(), Vec::new());
        for number in 1..=layout.servers() {
            let name = match layout {
                RedisLayout::Standalone => REDIS.to_owned(),
                RedisLayout::Sentinel { .. } | RedisLayout::Cluster { .. } | RedisLayout::Sharded { .. } => {
                    format!("{REDIS}-{number}")
                }
            };
            let arguments = match layout {
                RedisLayout::Cluster { .. } => {
                    buses.push(Port::reserve()?);
                    buses
                        .last()
                        .map(|bus| cluster::arguments(bus, &options))
                        .unwrap_or_default()
                }
                RedisLayout::Sentinel { .. } => replication(servers.first()),
                RedisLayout::Standalone | RedisLayout::Sharded { .. } => Vec::new(),
            };
            let ports = Ports::reserve(&options.server)?;
            servers.push(RedisServer::spawn(
                folder,
                &name,
                ports,
                &options.server,
                arguments,
            )?);
        }
        for server in &servers {
            server.wait_ready().await?;
        }
        let mut sentinels = Vec::new();
        match layout {
            RedisLayout::Standalone | RedisLayout::Sharded { .. } => {}
            RedisLayout::Sentinel { .. } => {
                until_replicated(&servers).await?;
                sentinels = sentinel::start(folder, &options, &servers).await?;
            }
            RedisLayout::Cluster { masters, .. } => {
                let buses: Vec<_> = buses.iter().map(Port::number).collect();
                cluster::form(&servers, &buses, masters).await?;
            }
        }
        let password_file = password_file(folder, layout, &options)?;
        Ok(Self {
            layout,
            options,
            servers,
            sentinels,
            password_file,
            _buses: buses,
            _folder: None,
        })
    }
}

/// The password of servers behind Sentinels, in a file: the URLs of nodes are those of the Sentinels.
fn password_file(
    folder: &Path,
    layout: RedisLayout,
    options: &DeploymentOptions,
) -> anyhow::Result<Option<PathBuf>> {
    let (RedisLayout::Sentinel { .. }, Some(password)) = (layout, &options.server.password) else {
        return Ok(None);
    };
    let file = folder.join("redis-password");
    std::fs::write(&file, password)?;
    Ok(Some(file))
}

/// The arguments of a server that follows `master`, or that may come to follow one.
fn replication(master: Option<&RedisServer>) -> Vec<OsString> {
    // By default a replica is sent its master's data after five seconds.
    let mut arguments: Vec<OsString> = ["--repl-diskless-sync-delay", "0"].map(OsString::from).into();
    if let Some(master) = master {
        let port = master.shared_port().to_string();
        arguments.extend(["--replicaof", "127.0.0.1", &port].map(OsString::from));
    }
    arguments
}

/// Waits until all servers but the first have its data.
async fn until_replicated(servers: &[RedisServer]) -> anyhow::Result<()> {
    let wait = Wait::new("the replicas follow their master", REPLICATED_WITHIN);
    for replica in servers.iter().skip(1) {
        while !matches!(role(replica).await, Some(Role::Replica(_, true))) {
            wait.pause(replica.name()).await?;
        }
    }
    Ok(())
}
