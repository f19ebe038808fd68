//! The Redis servers of one mode: how a node finds them, and which of them are masters. How they are started is for
//! `start`.

use std::{fmt::Write as _, ops::Deref, path::PathBuf};

use tempfile::TempDir;

use super::{
    DeploymentOptions, RedisLayout, RedisServer, SENTINEL_MASTER,
    roles::{Role, role},
};
use crate::{Port, Process, resp::Reply};

/// The servers of one mode; all killed when dropped. As a server it is its first one, which in standalone mode is all
/// there is.
#[derive(Debug)]
pub struct RedisDeployment {
    pub(super) layout: RedisLayout,
    pub(super) options: DeploymentOptions,
    pub(super) servers: Vec<RedisServer>,
    pub(super) sentinels: Vec<RedisServer>,
    /// The password of the servers, where the URLs of nodes cannot have it.
    pub(super) password_file: Option<PathBuf>,
    /// The ports on which members of a cluster reach each other: reserved as long as they can be started again.
    pub(super) _buses: Vec<Port>,
    /// Logs and data, unless they are in a folder of the caller's. After the servers: it goes when they are gone.
    pub(super) _folder: Option<TempDir>,
}

impl RedisDeployment {
    /// Its layout.
    #[must_use]
    pub const fn layout(&self) -> RedisLayout {
        self.layout
    }

    /// What it was started with.
    #[must_use]
    pub const fn options(&self) -> &DeploymentOptions {
        &self.options
    }

    /// The data servers, the first masters first.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The Sentinels; none in other modes.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The processes of all servers.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.servers.iter().chain(&self.sentinels).map(Deref::deref)
    }

    /// What nodes are given as `redis_urls`: the server, the Sentinels, every member of the cluster, or the servers in
    /// order.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let named = if self.sentinels.is_empty() {
            &self.servers
        } else {
            &self.sentinels
        };
        named.iter().map(RedisServer::url).collect()
    }

    /// The lines of a node's `[broker]` that say where Redis is, as TOML.
    #[must_use]
    pub fn broker_toml(&self) -> String {
        self.broker_toml_of(usize::MAX)
    }

    /// The same with the first `listed` URLs: independent servers may be more than nodes use.
    #[must_use]
    pub fn broker_toml_of(&self, listed: usize) -> String {
        let mut urls = self.urls();
        urls.truncate(listed);
        let mut text = format!("redis_mode = \"{}\"\nredis_urls = {urls:?}\n", self.layout.mode());
        // Writing to a String does not fail.
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key} = {value:?}");
        };
        if !self.sentinels.is_empty() {
            line("redis_sentinel_master", SENTINEL_MASTER);
        }
        if let Some(file) = &self.password_file {
            line("redis_password_file", &file.to_string_lossy());
        }
        if let Some(tls) = &self.options.server.tls {
            line("redis_ca_file", &tls.ca_file().to_string_lossy());
            if let Some(client) = tls.client() {
                line("redis_cert_file", &client.certificate.to_string_lossy());
                line("redis_key_file", &client.key.to_string_lossy());
            }
        }
        text
    }

    /// The servers that are masters now. A server that is down or frozen has no role. In a Redis Cluster, only masters
    /// with slots count.
    pub async fn masters(&self) -> Vec<&RedisServer> {
        let roles = self.roles().await;
        let masters = roles.into_iter().zip(self.servers());
        masters
            .filter(|(role, _)| matches!(role, Some(Role::Master(_))))
            .map(|(_, server)| server)
            .collect()
    }

    /// The role of each server, in their order; `None` of those that do not answer.
    pub(super) async fn roles(&self) -> Vec<Option<Role>> {
        let mut roles = Vec::new();
        for server in self.servers() {
            roles.push(role(server).await);
        }
        roles
    }

    /// A master with a connected replica: their numbers in the order of the servers. With `wanted`, that master.
    pub(super) async fn pair(&self, wanted: Option<usize>) -> Option<(usize, usize)> {
        let roles = self.roles().await;
        let mut pairs = roles.iter().enumerate().filter_map(|(replica, role)| {
            let Some(Role::Replica(port, true)) = role else {
                return None;
            };
            let master = self
                .servers()
                .iter()
                .position(|server| server.shared_port() == *port)?;
            Some((master, replica))
        });
        pairs.find(|(master, _)| wanted.is_none_or(|wanted| wanted == *master))
    }

    /// The server that the Sentinels name as the master; `None` if it is none of this deployment.
    ///
    /// # Errors
    /// When no Sentinel answers.
    pub async fn named_master(&self) -> anyhow::Result<Option<&RedisServer>> {
        let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SENTINEL_MASTER];
        let mut last = anyhow::anyhow!("there are no Sentinels");
        for sentinel in self.sentinels() {
            match sentinel.command::<Vec<Reply>>(&question).await {
                Ok(answer) => {
                    let Some(Reply::Text(port)) = answer.get(1) else {
                        continue;
                    };
                    let port: u16 = port.parse()?;
                    return Ok(self.servers().iter().find(|server| server.shared_port() == port));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Deref for RedisDeployment {
    type Target = RedisServer;

    #[expect(clippy::expect_used, reason = "every layout has a server")]
    fn deref(&self) -> &RedisServer {
        self.servers.first().expect("a server")
    }
}
