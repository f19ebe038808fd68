//! The state that the tasks of one shard share. State that only one task needs stands in that task.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::ServerError;
use switchboard_core::{BrokerError, BusStatus, Retention};
use switchboard_protocol::{NodeId, NodeMessage, PeerKey, SessionId};
use switchboard_telemetry::{Coalesced, Queue, RedisOp, ShardTelemetry, Telemetry};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    health::Health, health_log::About, lease::Lease, pending::PendingWork, probe::Probe, tables::Tables,
};
use crate::{
    partition::{Partition, PartitionSet, Served},
    queue::Sender,
    redis::{
        claim::{LocalClaim, Release},
        command::{Command, caller::Caller, script_call::ScriptCall},
        detours::{Detours, Redirect},
        endpoint::Endpoint,
        node_run::NodeRun,
        periods::millis,
        pool::Pool,
        refusal::{Reaction, Refusal},
        status::share_of,
        tenant_rooms::TenantRooms,
    },
};

/// The values that every shard of a broker shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) run: NodeRun,
    pub(crate) telemetry: Telemetry,
    /// Why the node must stop, once it must.
    pub(crate) unusable: watch::Sender<Option<String>>,
    /// Ends the tasks of all shards.
    pub(crate) end: CancellationToken,
    pub(crate) tenant_rooms: Arc<TenantRooms>,
    pub(crate) window_ms: Arc<AtomicU64>,
    pub(crate) revocations_due: Arc<Notify>,
    /// In a Redis Cluster.
    pub(crate) detours: Option<Arc<Detours>>,
}

/// Knows the shard of every partition.
pub(crate) trait Routing: Send + Sync {
    /// The shard that serves `partition`.
    fn shard_of(&self, partition: Partition) -> Arc<Shard>;

    /// Whether other nodes may have another shard for `partition`; none: for any.
    fn is_disputed(&self, partition: Option<Partition>) -> bool;
}

/// Why connections end that are dialled anew, for people.
pub(crate) const OTHER_SERVER: &str = "another server may be the master now, so Redis is dialled anew";

/// One Redis server, as this node uses it.
pub(crate) struct Shard {
    /// The partitions that it serves.
    pub(crate) served: Arc<Served>,
    /// Where to find the shard of another partition.
    routing: OnceLock<Weak<dyn Routing>>,
    /// In a Redis Cluster: commands that it sent elsewhere.
    pub(crate) detours: Option<Arc<Detours>>,
    pub(crate) endpoint: Endpoint,
    pub(crate) caller: Caller,
    pub(crate) telemetry: ShardTelemetry,
    /// Commands for the publisher.
    queue: Sender<Command>,
    /// For the lease and for the shutdown.
    pub(crate) pool: Pool,
    pub(crate) health: Health,
    pub(crate) lease: Lease,
    pub(crate) probe: Probe,
    pub(crate) tables: Mutex<Tables>,
    pub(crate) pending: PendingWork,
    /// The resume window of this node's sessions, in milliseconds; shared by all shards.
    window_ms: Arc<AtomicU64>,
    /// There are channels to subscribe or unsubscribe.
    pub(crate) subscription_changes: Notify,
    /// There are claims to make, or pending work.
    pub(crate) claim_work: Notify,
    /// The subscriber has just connected: the publisher need not wait any longer.
    pub(crate) publisher_retry: Notify,
    /// The publisher has just connected: the subscriber need not wait any longer.
    pub(crate) subscriber_retry: Notify,
    /// The lease was renewed.
    pub(crate) lease_renewed: Notify,
    /// Revocations may have been missed, or lost by Redis; shared by all shards.
    pub(crate) revocations_due: Arc<Notify>,
    /// Another server may be the master now: both connections are to be dialled anew.
    pub(crate) publisher_redial: Notify,
    pub(crate) subscriber_redial: Notify,
    refusals: Coalesced,
    /// Why this node must stop, once it must.
    pub(crate) unusable: watch::Sender<Option<String>>,
    /// The shard ends.
    pub(crate) end: CancellationToken,
    /// The broker ends.
    end_all: CancellationToken,
    /// How many rooms tenants have, on all shards.
    pub(crate) tenant_rooms: Arc<TenantRooms>,
}

/// A server and the partitions that it serves, for people.
struct Described {
    endpoint: Endpoint,
    served: Arc<Served>,
}

impl About for Described {
    fn server(&self) -> String {
        self.endpoint.shown()
    }

    fn share(&self) -> Option<usize> {
        share_of(&self.served.set())
    }
}

impl Shard {
    pub(crate) fn new(endpoint: Endpoint, shared: Shared, queue: Sender<Command>, pool: Pool) -> Self {
        let Shared {
            run,
            telemetry,
            unusable,
            end,
            tenant_rooms,
            window_ms,
            revocations_due,
            detours,
        } = shared;
        let (names, memory_watermark) = (endpoint.names.clone(), endpoint.memory_watermark);
        let telemetry = telemetry.of_shard(&endpoint.shown());
        let served = Arc::new(Served::new(PartitionSet::ALL));
        let about = Described {
            endpoint: endpoint.clone(),
            served: Arc::clone(&served),
        };
        Self {
            served,
            routing: OnceLock::new(),
            detours,
            endpoint,
            queue,
            pool,
            health: Health::new(telemetry.clone(), run.node.as_str(), Box::new(about)),
            lease: Lease::new(&run, &names),
            probe: Probe::new(),
            tables: Mutex::default(),
            pending: PendingWork::new(telemetry.clone()),
            window_ms,
            subscription_changes: Notify::new(),
            claim_work: Notify::new(),
            publisher_retry: Notify::new(),
            subscriber_retry: Notify::new(),
            lease_renewed: Notify::new(),
            revocations_due,
            publisher_redial: Notify::new(),
            subscriber_redial: Notify::new(),
            refusals: Coalesced::new(),
            unusable,
            end: end.child_token(),
            end_all: end,
            tenant_rooms,
            caller: Caller::new(run, names, memory_watermark),
            telemetry,
        }
    }

    /// This node.
    pub(crate) fn node(&self) -> &NodeId {
        &self.caller.run.node
    }

    /// The shard serves these partitions from now on, and `routing` knows the others.
    pub(crate) fn join(&self, routing: Weak<dyn Routing>, partitions: &PartitionSet) {
        // Once: a shard belongs to one topology.
        let _ = self.routing.set(routing);
        let _tables = self.tables.lock();
        self.served.remove(&PartitionSet::ALL);
        self.served.insert(partitions);
    }

    /// Calls `change` with the shard that serves `partition` now, usually this one, and its tables.
    /// The partition cannot move meanwhile.
    pub(crate) fn at<R>(&self, partition: Partition, change: impl FnOnce(&Self, &mut Tables) -> R) -> R {
        let mut other: Option<Arc<Self>> = None;
        loop {
            let shard = other.as_deref().unwrap_or(self);
            let mut tables = shard.tables.lock();
            // A partition moves under the locks of both shards, so the next lookup finds its new one.
            let routing = (!shard.served.contains(partition)).then(|| self.routing());
            let Some(routing) = routing.flatten() else {
                return change(shard, &mut tables);
            };
            drop(tables);
            other = Some(routing.shard_of(partition));
        }
    }

    pub(super) fn routing(&self) -> Option<Arc<dyn Routing>> {
        self.routing.get().and_then(Weak::upgrade)
    }

    /// Queues a command for the publisher of the shard that serves its partition.
    pub(crate) fn send(&self, command: Command) -> Result<(), BrokerError> {
        self.forward(command).map_err(|(error, _)| error)
    }

    /// The same; a command that is not queued is returned with the reason.
    pub(crate) fn forward(&self, command: Command) -> Result<(), (BrokerError, Command)> {
        let command = match &self.detours {
            None => command,
            Some(detours) => match detours.hold(command)? {
                Some(command) => command,
                None => return Ok(()),
            },
        };
        if !self.serves(&command)
            && let Some(partition) = command.partition()
            && let Some(routing) = self.routing()
        {
            return routing.shard_of(partition).send_here(command);
        }
        self.send_here(command)
    }

    /// Whether this shard is the one for `command`.
    pub(crate) fn serves(&self, command: &Command) -> bool {
        // A shard that serves everything need not look at the command.
        self.served.set() == PartitionSet::ALL
            || command
                .partition()
                .is_none_or(|partition| self.served.contains(partition))
    }

    /// Queues a command for this shard's publisher, whatever else waits.
    pub(crate) fn send_here(&self, command: Command) -> Result<(), (BrokerError, Command)> {
        if !self.health.is_publisher_up() {
            self.health.count_refused(usize::from(command.is_of_clients()));
            return Err((BrokerError::Unavailable, command));
        }
        self.queue.push(command).inspect_err(|(error, _)| {
            if *error == BrokerError::QueueFull {
                self.telemetry.queue_overflow(Queue::Publisher);
            }
        })
    }

    /// Queues a claim or re-assertion, if its session still owns the peer; the epoch it counts for.
    ///
    /// Checked and queued under one lock: of two sessions of this node the later one's claim is the later
    /// one in Redis, too.
    pub(crate) fn send_claim(
        &self,
        claim: LocalClaim,
        call: impl FnOnce(LocalClaim, u32) -> ScriptCall,
    ) -> Result<u32, BrokerError> {
        self.at(Partition::of(claim.key.as_str()), |shard, tables| {
            if !tables.claims.is_owner(&claim.key, claim.session()) {
                return Err(BrokerError::Superseded);
            }
            let epoch = tables.claims.epoch();
            shard.send(Command::script(call(claim, epoch)))?;
            Ok(epoch)
        })
    }

    /// Sends a release now, or when Redis is back.
    pub(crate) fn release(&self, release: Release) {
        let command = Command::script(ScriptCall::Release(release.clone()));
        if self.send(command).is_err() {
            self.pending.add_release(release);
        }
    }

    /// Releases a session that is not to be resumed.
    pub(crate) fn forget(&self, key: &PeerKey, session: SessionId, fence: u64) {
        self.release(Release {
            key: key.clone(),
            session,
            fence,
            retention: None,
        });
    }

    /// `session` of this node has lost `key`. The node learns it later: the caller may be inside it.
    pub(crate) fn announce_takeover(&self, key: PeerKey, session: SessionId, fence: u64) {
        let takeover = NodeMessage::Takeover { key, session, fence };
        self.pending.add_takeover(takeover);
        self.claim_work.notify_one();
    }

    /// Notes how long this node's sessions can be resumed.
    pub(crate) fn note_window(&self, window: Duration) {
        self.window_ms.store(millis(window), Ordering::Relaxed);
    }

    /// The retention of a session whose node ends before its connection; `None` where sessions cannot be resumed.
    pub(crate) fn retention_at_shutdown(&self) -> Option<Retention> {
        let snapshot = None;
        let window = self.resume_window()?;
        Some(Retention { snapshot, window })
    }

    /// How long this node's sessions can be resumed, as far as one of them has said.
    pub(crate) fn resume_window(&self) -> Option<Duration> {
        let window = Duration::from_millis(self.window_ms.load(Ordering::Relaxed));
        (!window.is_zero()).then_some(window)
    }

    /// Redis answered a command of this kind with an error.
    pub(crate) fn on_server_error(&self, op: RedisOp, error: &ServerError) {
        if let Some(detours) = &self.detours
            && Redirect::of_error(error).is_some()
        {
            // The map says what follows.
            detours.stale.notify_one();
            return;
        }
        let refusal = Refusal::of(op, error.code(), error.details());
        self.health.count_refused(usize::from(op != RedisOp::Lease));
        match refusal.reaction {
            Reaction::SendSource => {}
            Reaction::Fail => self.refusals.note(|count| {
                let (node, server, why) = (self.node(), self.health.server(), refusal.why);
                tracing::warn!(%node, server, count, op = op.as_str(), why, "commands failed: their clients get errors");
            }),
            // The lines about the state tell the rest.
            Reaction::Wait | Reaction::WaitForKind => self.health.refused(op, refusal),
            Reaction::Redial => {
                self.health.refused(op, refusal);
                self.publisher_redial.notify_one();
                self.subscriber_redial.notify_one();
            }
        }
    }

    /// The server is another one now: both connections are made anew, and no wait is kept.
    pub(crate) fn server_changed(&self) {
        self.publisher_redial.notify_one();
        self.subscriber_redial.notify_one();
        self.server_found();
    }

    /// It is known where the server is: attempts to connect need not wait any longer, and metrics name it.
    pub(crate) fn server_found(&self) {
        self.telemetry.moved_to(&self.endpoint.shown());
        self.publisher_retry.notify_one();
        self.subscriber_retry.notify_one();
    }

    /// Why this node must not run.
    pub(crate) fn taken_name(&self) -> String {
        format!(
            "node.id: another node runs with the id `{}` on the Redis at {}; give each node its own id",
            self.node(),
            self.endpoint.shown()
        )
    }

    /// Another run of this node has its name: this one stops at once, before it delivers anything more.
    pub(crate) fn stop(&self, why: String) {
        tracing::error!(node = %self.node(), why, "the node stops");
        self.unusable.send_replace(Some(why));
        self.end_all.cancel();
    }

    /// Redis has lost the lease although the connections stayed, so others may have taken this node's peers: every
    /// claim is checked before another message comes in.
    pub(crate) fn lease_lost(&self) {
        self.lease.was_lost();
        self.revocations_due.notify_one();
        self.records_lost(&mut self.tables.lock());
    }

    /// Redis has lost records of this node's peers: all are written again, and absence proves nothing for a while.
    pub(crate) fn records_lost(&self, tables: &mut Tables) {
        self.health.records_lost();
        tables.next_epoch();
        self.claim_work.notify_one();
    }

    /// How this shard is.
    pub(crate) fn status(&self) -> BusStatus {
        let (state, detail) = self.health.status();
        let (desired, confirmed) = self.tables.lock().subscriptions.counts();
        BusStatus {
            state,
            desired,
            confirmed,
            detail,
        }
    }

    /// Exports the subscriptions desired and confirmed.
    pub(crate) fn report_subscriptions(&self) {
        let (desired, confirmed) = self.tables.lock().subscriptions.counts();
        let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.telemetry.subscriptions(gauge(desired), gauge(confirmed));
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
