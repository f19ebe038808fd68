//! Masters that join a Redis Cluster, get slots, and leave again, as an operator adds and removes servers.

use anyhow::Context as _;

use super::{RedisDeployment, RedisLayout, RedisServer, cluster, reshard};
use crate::Port;

impl RedisDeployment {
    /// Starts one more master, without slots, and waits until every member knows it.
    ///
    /// # Errors
    /// When this is no Redis Cluster, or the members do not agree in time.
    pub async fn add_master(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(
            matches!(self.layout, RedisLayout::Cluster { .. }),
            "`{}` is no Redis Cluster",
            self.layout
        );
        let bus = Port::reserve()?;
        let mut options = self.options.server.clone();
        for word in cluster::arguments(&bus, &self.options) {
            let word = word.into_string();
            let word = word.map_err(|word| anyhow::anyhow!("{} is no text", word.display()))?;
            options.arguments.push(word);
        }
        let server = RedisServer::start_with(options).await?;
        let mut connection = server.connect().await?;
        for (other, bus) in self.servers.iter().zip(&self._buses) {
            let (port, bus) = (other.shared_port().to_string(), bus.number().to_string());
            connection
                .ask::<String>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
                .await?;
        }
        self.servers.push(server);
        self._buses.push(bus);
        cluster::until_all_know(&self.servers).await
    }

    /// Moves `count` slots from one server to another: those with keys or subscribed shard channels first. Which slots moved.
    ///
    /// # Errors
    /// When a server refuses a step; slots may then be left half moved.
    pub async fn move_slots(&self, count: usize, from: usize, to: usize) -> anyhow::Result<Vec<u16>> {
        let server = |number: usize| self.servers.get(number).context("there is no such server");
        let (from, to) = (server(from)?, server(to)?);
        let masters = self.slots().await?;
        let owner = masters.iter().find(|(master, _)| master.port() == from.port());
        let slots = owner.map(|(_, slots)| slots.as_slice()).unwrap_or_default();
        let moving = reshard::slots_to_move(from, slots, count).await?;
        for slot in &moving {
            self.move_slot(*slot, from, to).await?;
        }
        Ok(moving)
    }

    /// Ends the last server, which has no slots any more: the others forget it.
    ///
    /// # Errors
    /// When a server refuses a step, for example because it has slots.
    pub async fn remove_last_master(&mut self) -> anyhow::Result<()> {
        let server = self.servers.pop().context("there is no server")?;
        let id: String = server.command(&["CLUSTER", "MYID"]).await?;
        for other in &self.servers {
            other.command::<String>(&["CLUSTER", "FORGET", &id]).await?;
        }
        server.kill().await?;
        self._buses.pop();
        Ok(())
    }
}
