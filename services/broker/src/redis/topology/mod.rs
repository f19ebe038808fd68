//! Topologies. Each maps the partitions to Redis servers, in one file and one line of this list.

mod cluster;
mod moving;
mod sentinel;
mod sharded;
mod standalone;
mod table;

use std::sync::Arc;

pub(crate) use table::Topology;

use super::{
    config::{RedisConfig, RedisConfigError, RedisMode},
    endpoint::Endpoint,
    shard::starter::Starter,
};

/// Starts the shards of a topology on the servers that the configuration names.
pub(crate) fn open(
    config: &RedisConfig,
    endpoints: &[Endpoint],
    starter: &Starter,
) -> Result<Arc<Topology>, RedisConfigError> {
    match (config.mode, endpoints) {
        (RedisMode::Standalone, [endpoint]) => standalone::open(endpoint, starter),
        (RedisMode::Sentinel, _) => sentinel::open(&config.sentinel_master, endpoints, starter),
        (RedisMode::Sharded, [_, ..]) => sharded::open(endpoints, starter),
        (RedisMode::Cluster, endpoints) => cluster::open(endpoints, starter),
        (RedisMode::Standalone | RedisMode::Sharded, _) => Err(RedisConfigError::Mode),
    }
}
