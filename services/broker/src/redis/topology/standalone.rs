//! Standalone: one Redis server serves every partition.

use super::table::Topology;
use crate::redis::{
    config::{RedisConfig, RedisConfigError},
    shard::starter::Starter,
};

/// Starts the only shard.
pub(super) fn open(config: &RedisConfig, starter: &Starter) -> Result<Topology, RedisConfigError> {
    Ok(Topology::single(starter.start(config.endpoint()?)?))
}
