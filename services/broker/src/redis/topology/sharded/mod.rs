//! Sharded: independent Redis servers, in the order of the configuration. Each serves whole partitions; the first one also
//! has what belongs to the whole cluster, and the number of servers in use (`agreement`).

mod agreement;
mod copy;
mod map;
mod servers;

use std::sync::Arc;

use map::MAX_SERVERS;
use servers::Servers;

use super::table::Topology;
use crate::redis::{config::RedisConfigError, endpoint::Endpoint, shard::starter::Starter};

/// Begins with no server; they follow once it is known how many are in use.
pub(super) fn open(endpoints: &[Endpoint], starter: &Starter) -> Result<Arc<Topology>, RedisConfigError> {
    let Some(first) = endpoints.first().filter(|_| endpoints.len() <= MAX_SERVERS) else {
        return Err(RedisConfigError::UrlCount("1 to 64 URLs"));
    };
    let topology = Topology::single(starter.idle(first.clone())?);
    let servers = Servers::new(Arc::clone(&topology), endpoints.to_vec(), starter.clone());
    starter.spawn(servers.run());
    Ok(topology)
}
