//! Pooled connections of one user to the shard that has what belongs to the whole cluster, wherever that shard is now. Not
//! those of a shard itself (`pool`).

use std::sync::Arc;

use parking_lot::Mutex;
use redis::{FromRedisValue, Pipeline};

use super::{
    config::RedisConfigError,
    pool::{self, Pool},
    redirected::{self, Place},
    shard::state::Shard,
    topology::Topology,
};

/// The connections. Their own: their user never waits for a connection that the node's lease needs.
pub(crate) struct ClusterPool {
    topology: Arc<Topology>,
    current: Mutex<(Arc<Shard>, Arc<Pool>)>,
}

impl ClusterPool {
    /// A pool that connects when it is first used.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub(crate) fn open(topology: &Arc<Topology>) -> Result<Self, RedisConfigError> {
        let shard = topology.shard_of_nodes();
        let pool = Arc::new(pool::open(&shard.endpoint)?);
        Ok(Self {
            topology: Arc::clone(topology),
            current: Mutex::new((shard, pool)),
        })
    }

    /// The shard, for its names and scripts: those of the whole cluster are alike on every shard.
    pub(crate) fn shard(&self) -> Arc<Shard> {
        Arc::clone(&self.current.lock().0)
    }

    /// Sends one pipeline; the error is for people.
    pub(crate) async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, String> {
        redirected::query(|| self.place(), pipeline).await
    }

    fn place(&self) -> Result<Place, String> {
        let shard = self.topology.shard_of_nodes();
        let mut current = self.current.lock();
        if !Arc::ptr_eq(&current.0, &shard) {
            let pool = pool::open(&shard.endpoint).map_err(|error| error.to_string())?;
            *current = (shard, Arc::new(pool));
        }
        Ok(Place::Over(Arc::clone(&current.0), Arc::clone(&current.1)))
    }
}
