//! What can be done to the servers of a deployment as a whole. [`Process`](crate::Process) kills and freezes one of them.

use std::time::Duration;

use anyhow::Context as _;

use super::{
    RedisDeployment, RedisLayout, SENTINEL_MASTER,
    roles::{Role, role},
};
use crate::wait::Wait;

/// How long a failover that somebody asked for may take.
const FAILED_OVER_WITHIN: Duration = Duration::from_secs(30);

impl RedisDeployment {
    /// Ends every pub/sub connection at every master; how many there were.
    ///
    /// # Errors
    /// When a master does not answer.
    pub async fn kill_pubsub(&self) -> anyhow::Result<u64> {
        let mut killed = 0;
        for master in self.masters().await {
            killed += master
                .command::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"])
                .await?;
        }
        Ok(killed)
    }

    /// Every master answers nothing for that long (CLIENT PAUSE), and then all of it.
    ///
    /// # Errors
    /// When a master does not answer.
    pub async fn pause(&self, lasts: Duration) -> anyhow::Result<()> {
        let ms = lasts.as_millis().to_string();
        for master in self.masters().await {
            master.command::<String>(&["CLIENT", "PAUSE", &ms, "ALL"]).await?;
        }
        Ok(())
    }

    /// Deletes all data of every master.
    ///
    /// # Errors
    /// When a master does not answer.
    pub async fn flush(&self) -> anyhow::Result<()> {
        for master in self.masters().await {
            master.command::<String>(&["FLUSHALL"]).await?;
        }
        Ok(())
    }

    /// A replica takes the place of its master, as an operator asks for it; returns when it has. Their numbers, in the
    /// order of [`RedisDeployment::servers`]: the old master, the new one.
    ///
    /// # Errors
    /// When there is no replica, or it does not take over in time.
    pub async fn failover(&self) -> anyhow::Result<(usize, usize)> {
        let (old, new) = self.pair(None).await.with_context(|| {
            format!(
                "no master has a replica; `{}` has none that could take over",
                self.layout()
            )
        })?;
        let of = |number: usize| self.servers().get(number).context("there is no such server");
        match self.layout() {
            RedisLayout::Cluster { .. } => {
                of(new)?.command::<String>(&["CLUSTER", "FAILOVER"]).await?;
            }
            RedisLayout::Sentinel { .. } => {
                let sentinel = self.sentinels().first().context("there is no Sentinel")?;
                sentinel
                    .command::<String>(&["SENTINEL", "FAILOVER", SENTINEL_MASTER])
                    .await?;
            }
            RedisLayout::Standalone | RedisLayout::Sharded { .. } => {
                anyhow::bail!("servers of `{}` have no replicas", self.layout());
            }
        }
        let wait = Wait::new("the replica is the master", FAILED_OVER_WITHIN);
        // Sentinels choose the replica themselves.
        loop {
            let roles = self.roles().await;
            let is_replica = matches!(roles.get(old), Some(Some(Role::Replica(..))));
            let next = roles.iter().enumerate().find(|(number, role)| {
                *number != old
                    && matches!(role, Some(Role::Master(_)))
                    && (matches!(self.layout(), RedisLayout::Sentinel { .. }) || *number == new)
            });
            if let (true, Some((number, _))) = (is_replica, next) {
                return Ok((old, number));
            }
            wait.pause(&format!("{roles:?}")).await?;
        }
    }

    /// Waits until a replica has taken the place of the server with that number, which was killed or frozen; its number.
    ///
    /// # Errors
    /// When none does in time.
    pub async fn until_replaced(&self, replicas: &[usize]) -> anyhow::Result<usize> {
        let wait = Wait::new("a replica takes over", FAILED_OVER_WITHIN);
        loop {
            for number in replicas {
                let server = self.servers().get(*number).context("there is no such server")?;
                if matches!(role(server).await, Some(Role::Master(_))) {
                    return Ok(*number);
                }
            }
            wait.pause("").await?;
        }
    }

    /// The numbers of the replicas of the server with that number.
    pub async fn replicas_of(&self, master: usize) -> Vec<usize> {
        let port = self.servers().get(master).map(|server| server.shared_port());
        let roles = self.roles().await.into_iter().enumerate();
        roles
            .filter(|(_, role)| matches!(role, Some(Role::Replica(of, _)) if Some(*of) == port))
            .map(|(number, _)| number)
            .collect()
    }
}
