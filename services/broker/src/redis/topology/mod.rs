//! Topologies: which Redis servers there are, and which of them serves which partition. One file each, and one line
//! in this list.

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
