//! Reads the map of a Redis Cluster from every server that is known, over connections that stay open. Not the map itself (`map`).

use std::time::Duration;

use futures_util::future::join_all;
use hashbrown::HashMap;
use redis::{Pipeline, Value};
use tokio::time::timeout;

use super::map::Map;
use crate::redis::{
    dial::{CommandConnection, dial_for_commands},
    endpoint::{Address, Endpoint, Location},
};

/// How long the servers may take to answer. One that is frozen costs every round this much.
const PATIENCE: Duration = Duration::from_millis(600);

/// Servers that are asked in one round, at most: the masters, and the seeds.
const MAX_ASKED: usize = 32;

/// Asks for the map.
pub(super) struct Refresh {
    seeds: Vec<Endpoint>,
    known: Vec<Address>,
    connections: HashMap<Address, CommandConnection>,
}

impl Refresh {
    /// `seeds`: where a server of the cluster is, as the configuration says. At least one.
    pub(super) fn new(seeds: Vec<Endpoint>) -> Self {
        Self {
            seeds,
            known: Vec::new(),
            connections: HashMap::new(),
        }
    }

    /// What most servers say.
    ///
    /// # Errors
    /// Why none answered, for people.
    pub(super) async fn read(&mut self) -> Result<Map, String> {
        let mut asked: Vec<(Address, Endpoint, Option<CommandConnection>)> = Vec::new();
        let known = self.known.iter().filter_map(|address| self.at(address));
        let places: Vec<Endpoint> = known.chain(self.seeds.iter().cloned()).collect();
        for place in places {
            if let Ok(address) = place.locate().await
                && asked.len() < MAX_ASKED
                && !asked.iter().any(|(known, ..)| *known == address)
            {
                let connection = self.connections.remove(&address);
                asked.push((address, place, connection));
            }
        }
        self.connections.clear();
        let answers = asked.into_iter().map(|(address, place, connection)| async move {
            let answer = timeout(PATIENCE, ask(&place, connection)).await;
            let answer = answer.unwrap_or_else(|_| Err(format!("Redis at {address} does not answer")));
            (address, answer)
        });
        let (mut maps, mut why) = (Vec::new(), "no server of the cluster is known".to_owned());
        for (address, answer) in join_all(answers).await {
            match answer {
                Ok((connection, reply)) => match read(&reply, &address) {
                    Ok(map) => {
                        maps.push(map);
                        self.connections.insert(address, connection);
                    }
                    Err(error) => why = error,
                },
                Err(error) => why = error,
            }
        }
        let map = Map::of_most(&maps).ok_or(why)?;
        self.known = map.groups().into_iter().map(|group| group.address).collect();
        Ok(map)
    }

    fn at(&self, address: &Address) -> Option<Endpoint> {
        let seed = self.seeds.first()?;
        Some(seed.at(Location::Fixed(address.clone()), seed.names.clone()))
    }
}

async fn ask(
    place: &Endpoint,
    connection: Option<CommandConnection>,
) -> Result<(CommandConnection, Vec<Value>), String> {
    let connection = match connection.filter(|connection| connection.is_current(place)) {
        Some(connection) => connection,
        None => dial_for_commands(place).await?,
    };
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.cmd("CLUSTER").arg("SLOTS");
    let mut commands = connection.commands.clone();
    let replies = commands.send_packed_commands(&pipeline, 0, pipeline.len()).await;
    Ok((connection, replies.map_err(|error| error.to_string())?))
}

fn read(replies: &[Value], asked: &Address) -> Result<Map, String> {
    let no_map = || format!("Redis at {asked} tells no map of a cluster");
    match replies {
        [Value::ServerError(error)] => {
            let details = error.details().unwrap_or_default();
            Err(format!("{}: {} {details}", no_map(), error.code()))
        }
        [slots] => Map::read(slots, asked).ok_or_else(no_map),
        _ => Err(no_map()),
    }
}
