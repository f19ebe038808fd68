//! The Redis backend: one standalone Redis, one connection that carries commands out (`link`), one that
//! brings messages in (`subscriber`), a lease, and claims on peers. Not Sentinel or Cluster yet.

mod attach;
mod backoff;
mod call;
mod command;
mod config;
mod crowd;
mod handshake;
mod health;
mod lease;
mod link;
mod pool;
mod probe;
mod reclaim;
mod record;
mod scripts;
mod shared;
mod subscriber;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use redis::Pipeline;
use switchboard_core::{
    Broker, BrokerError, BrokerEvents, BusStatus, Claim, ClaimOutcome, ClusterLoad, Retention, StoredMessage,
};
use switchboard_protocol::{Mid, NodeId, PeerKey, SessionId};
use switchboard_telemetry::Telemetry;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::keys;
use call::{Call, LettingGo};
use command::Command;
pub use config::{RedisConfig, RedisConfigError};
use link::Link;
use scripts::Operation;
use shared::Shared;
use subscriber::desired::Holding;

/// How long a shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Claims let go in one pipeline at shutdown.
const RELEASES_PER_PIPELINE: usize = 512;

/// A node's connection to the others through one standalone Redis. Dropping it ends its tasks.
pub struct RedisBroker {
    shared: Arc<Shared>,
    pool: deadpool_redis::Pool,
    tasks: TaskTracker,
}

impl RedisBroker {
    /// Starts the broker's tasks; Redis need not be there yet. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub fn start(
        config: &RedisConfig,
        node: NodeId,
        events: Arc<dyn BrokerEvents>,
        telemetry: Telemetry,
    ) -> Result<Arc<Self>, RedisConfigError> {
        let endpoint = config.endpoint()?;
        let pool = pool::open(&endpoint)?;
        let (sender, receiver) = crate::queue::bounded();
        let shared = Arc::new(Shared::new(node, endpoint, telemetry, sender));
        let tasks = TaskTracker::new();
        tasks.spawn(Link::new(Arc::clone(&shared), Arc::clone(&events), receiver).run());
        let end = shared.end.clone();
        tasks.spawn(
            end.clone()
                .run_until_cancelled_owned(subscriber::run(Arc::clone(&shared), Arc::clone(&events))),
        );
        tasks.spawn(
            end.clone()
                .run_until_cancelled_owned(reclaim::run(Arc::clone(&shared), events)),
        );
        tasks.spawn(end.run_until_cancelled_owned(lease::run(Arc::clone(&shared), pool.clone())));
        tasks.close();
        Ok(Arc::new(Self { shared, pool, tasks }))
    }

    /// Queues a call whose failure costs no more than a repetition.
    fn tell(&self, call: Call) {
        if let Err(error) = self.shared.send(Command::script(call)) {
            tracing::debug!(%error, "a note about a mailbox was not sent");
        }
    }

    /// What was queued so far is carried out.
    async fn flush(&self) {
        let (sender, flushed) = tokio::sync::oneshot::channel();
        if self.shared.send(Command::Flush(sender)).is_ok() {
            // An error means that the link ended; there is nothing left to wait for.
            let _ = flushed.await;
        }
    }

    /// Lets go of everything, so that others need not wait for the lease to run out.
    async fn let_go(&self) -> Result<(), String> {
        let claims = self.shared.desired.lock().claims();
        for chunk in claims.chunks(RELEASES_PER_PIPELINE) {
            let mut pipeline = Pipeline::with_capacity(chunk.len());
            for holding in chunk {
                let letting_go = LettingGo {
                    holding: holding.clone(),
                    keep: self.shared.orphaned(),
                };
                pipeline.add_command(letting_go.write(&self.shared, true));
            }
            pool::query::<Vec<u64>>(&self.pool, &pipeline).await?;
        }
        let mut pipeline = Pipeline::with_capacity(2);
        let mut end_lease = self.shared.scripts.call(Operation::EndLease, 1, true);
        end_lease
            .arg(self.shared.lease.key())
            .arg(self.shared.lease.incarnation());
        pipeline.add_command(end_lease);
        pipeline
            .cmd("HDEL")
            .arg(keys::cluster_load())
            .arg(self.shared.node.as_str());
        pool::query::<Vec<u64>>(&self.pool, &pipeline).await.map(drop)
    }
}

impl Drop for RedisBroker {
    fn drop(&mut self) {
        self.shared.end.cancel();
    }
}

impl Broker for RedisBroker {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        Box::pin(attach::attach(&self.shared, key, claim))
    }

    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, keep: Option<Retention>) {
        let held = self.shared.desired.lock().unwant_claimed(key, session, fence);
        let Some(fence) = held else { return };
        self.shared.changes.notify_one();
        let holding = Holding::to_let_go(key.clone(), session, fence);
        self.shared.let_go(LettingGo { holding, keep });
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.shared.send(Command::Publish {
            mid,
            to: to.clone(),
            envelope,
        })
    }

    fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError> {
        self.shared.send(Command::Locate { mid, to: to.clone() })
    }

    fn store(&self, letter: StoredMessage) -> Result<(), BrokerError> {
        self.shared.send(Command::leave(letter))
    }

    fn read_offline_queue(&self, key: &PeerKey, session: SessionId) {
        self.tell(Call::Look(key.clone(), session));
    }

    fn remove_stored(&self, key: &PeerKey, session: SessionId, letters: usize, bytes: usize) {
        self.tell(Call::MailDone {
            key: key.clone(),
            session,
            letters,
            bytes,
        });
    }

    fn touch(&self, key: &PeerKey, session: SessionId) {
        self.tell(Call::Alive(key.clone(), session));
    }

    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError> {
        self.shared.send(Command::Inbox {
            node: node.clone(),
            message,
        })
    }

    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        self.shared.meeting.exchange(own)
    }

    fn status(&self) -> BusStatus {
        let (state, detail) = self.shared.health.sum();
        let (desired, confirmed) = self.shared.desired.lock().counts();
        BusStatus {
            state,
            desired,
            confirmed,
            detail,
        }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let last_words = async {
                self.flush().await;
                self.shared.end.cancel();
                self.tasks.wait().await;
                self.let_go().await
            };
            match timeout(SHUTDOWN, last_words).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => tracing::warn!(why, "claims were not let go; they end with the lease"),
                Err(_) => tracing::warn!("Redis is too slow to let claims go; they end with the lease"),
            }
            self.shared.end.cancel();
        })
    }
}
