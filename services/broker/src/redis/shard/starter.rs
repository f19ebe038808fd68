//! Starts shards: one for every Redis server of a topology.

use std::sync::Arc;

use switchboard_core::BrokerEvents;
use switchboard_telemetry::Telemetry;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    claim_worker, lease_renewal, memory_probe, publisher::Publisher, session_ends, state::Shard, subscriber,
    sweep,
};
use crate::{
    queue,
    redis::{
        config::{Endpoint, RedisConfigError},
        node_run::NodeRun,
        pool,
    },
};

/// The values that every shard of a broker shares.
pub(crate) struct Starter {
    pub(crate) run: NodeRun,
    pub(crate) events: Arc<dyn BrokerEvents>,
    pub(crate) telemetry: Telemetry,
    /// Why the node must stop, once it must.
    pub(crate) unusable: watch::Sender<Option<String>>,
    /// Ends the shards' tasks.
    pub(crate) end: CancellationToken,
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
        let shard = Arc::new(Shard::new(
            endpoint,
            self.run.clone(),
            self.telemetry.clone(),
            sender,
            pool,
            self.unusable.clone(),
            self.end.clone(),
        ));
        let events = || Arc::clone(&self.events);
        // The publisher ends by itself: it has to refuse the rest of its queue.
        self.tasks
            .spawn(Publisher::new(Arc::clone(&shard), events(), receiver).run());
        self.spawn(subscriber::run(Arc::clone(&shard), events()));
        self.spawn(claim_worker::run(Arc::clone(&shard), events()));
        self.spawn(lease_renewal::run(Arc::clone(&shard)));
        self.spawn(memory_probe::run(Arc::clone(&shard)));
        self.spawn(sweep::run(Arc::clone(&shard)));
        self.spawn(session_ends::run(Arc::clone(&shard), events()));
        Ok(shard)
    }

    /// Starts a task that ends with the broker.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.end.clone().run_until_cancelled_owned(task));
    }
}
