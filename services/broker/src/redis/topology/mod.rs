//! Topologies. Each maps the partitions to Redis servers, in one file and one line of this list.

mod standalone;
mod table;

pub(crate) use table::Topology;

use super::{
    config::{RedisConfig, RedisConfigError, RedisMode},
    shard::starter::Starter,
};

/// Starts the shards of the topology that `config` names.
pub(crate) fn open(config: &RedisConfig, starter: &Starter) -> Result<Topology, RedisConfigError> {
    match config.mode {
        RedisMode::Standalone => standalone::open(config, starter),
    }
}
