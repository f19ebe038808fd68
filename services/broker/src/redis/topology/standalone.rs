//! Standalone: one Redis server serves every partition.

use std::sync::Arc;

use super::table::Topology;
use crate::redis::{config::RedisConfigError, endpoint::Endpoint, shard::starter::Starter};

/// Starts the only shard.
pub(super) fn open(endpoint: &Endpoint, starter: &Starter) -> Result<Arc<Topology>, RedisConfigError> {
    Ok(Topology::single(starter.start(endpoint.clone())?))
}
