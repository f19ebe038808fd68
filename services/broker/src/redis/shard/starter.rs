//! Starts shards: one for every Redis server of a topology.

use std::sync::Arc;

use switchboard_core::BrokerEvents;
use tokio_util::task::TaskTracker;

use super::{
    claim_worker, lease_renewal, memory_probe,
    publisher::Publisher,
    session_ends,
    state::{Shard, Shared},
    subscriber, sweep,
};
use crate::{
    queue,
    redis::{config::RedisConfigError, endpoint::Endpoint, pool},
};

/// Starts the shards of one broker.
#[derive(Clone)]
pub(crate) struct Starter {
    pub(crate) shared: Shared,
    pub(crate) events: Arc<dyn BrokerEvents>,
    pub(crate) tasks: TaskTracker,
}

impl Starter {
    /// Starts the tasks of the shard at `endpoint`; Redis need not be there yet.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub(crate) fn start(&self, endpoint: Endpoint) -> Result<Arc<Shard>, RedisConfigError> {
        let pool = pool::open(&endpoint)?;
        let (sender, receiver) = queue::bounded();
        let shard = Arc::new(Shard::new(endpoint, self.shared.clone(), sender, pool));
        let events = || Arc::clone(&self.events);
        // The publisher ends by itself: it has to refuse the rest of its queue.
        self.tasks
            .spawn(Publisher::new(Arc::clone(&shard), events(), receiver).run());
        self.spawn_on(&shard, subscriber::run(Arc::clone(&shard), events()));
        self.spawn_on(&shard, claim_worker::run(Arc::clone(&shard), events()));
        self.spawn_on(&shard, lease_renewal::run(Arc::clone(&shard)));
        self.spawn_on(&shard, memory_probe::run(Arc::clone(&shard)));
        self.spawn_on(&shard, sweep::run(Arc::clone(&shard), events()));
        self.spawn_on(&shard, session_ends::run(Arc::clone(&shard), events()));
        Ok(shard)
    }

    /// A shard that leads nowhere and has no tasks. Commands sent to it are refused.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub(crate) fn idle(&self, endpoint: Endpoint) -> Result<Arc<Shard>, RedisConfigError> {
        let pool = pool::open(&endpoint)?;
        let (sender, _) = queue::bounded();
        Ok(Arc::new(Shard::new(endpoint, self.shared.clone(), sender, pool)))
    }

    /// Starts a task that ends with its shard.
    fn spawn_on(&self, shard: &Shard, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks
            .spawn(shard.end.clone().run_until_cancelled_owned(task));
    }

    /// Starts a task that ends with the broker.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let end = self.shared.end.clone();
        self.tasks.spawn(end.run_until_cancelled_owned(task));
    }
}
