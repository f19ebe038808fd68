//! The state that the tasks of one shard share. State that only one task needs stands in that task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::ServerError;
use switchboard_core::{BrokerError, BusStatus, Retention};
use switchboard_protocol::{NodeId, NodeMessage, PeerKey, SessionId};
use switchboard_telemetry::{Coalesced, Queue, RedisOp, Telemetry};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{health::Health, lease::Lease, pending::PendingWork, probe::Probe, tables::Tables};
use crate::{
    queue::Sender,
    redis::{
        claim::{LocalClaim, Release},
        command::{Command, caller::Caller, script_call::ScriptCall},
        config::Endpoint,
        node_run::NodeRun,
        periods::{SETTLE, millis},
        pool::Pool,
        refusal::Refusal,
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
    /// Ends the shards' tasks.
    pub(crate) end: CancellationToken,
    pub(crate) tenant_rooms: Arc<TenantRooms>,
}

/// One Redis server, as this node uses it.
pub(crate) struct Shard {
    pub(crate) endpoint: Endpoint,
    pub(crate) caller: Caller,
    pub(crate) telemetry: Telemetry,
    /// Commands for the publisher.
    queue: Sender<Command>,
    /// For the lease and for the shutdown.
    pub(crate) pool: Pool,
    pub(crate) health: Health,
    pub(crate) lease: Lease,
    pub(crate) probe: Probe,
    pub(crate) tables: Mutex<Tables>,
    pub(crate) pending: PendingWork,
    /// The resume window of this node's sessions, in milliseconds.
    window_ms: AtomicU64,
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
    /// Revocations may have been missed, or lost by Redis.
    pub(crate) revocations_due: Notify,
    /// Redis has become a replica: both connections are to be dialled anew.
    pub(crate) publisher_redial: Notify,
    pub(crate) subscriber_redial: Notify,
    refusals: Coalesced,
    /// Why this node must stop, once it must.
    pub(crate) unusable: watch::Sender<Option<String>>,
    /// The broker ends.
    pub(crate) end: CancellationToken,
    /// How many rooms tenants have, on all shards.
    pub(crate) tenant_rooms: Arc<TenantRooms>,
}

impl Shard {
    pub(crate) fn new(endpoint: Endpoint, shared: Shared, queue: Sender<Command>, pool: Pool) -> Self {
        let Shared {
            run,
            telemetry,
            unusable,
            end,
            tenant_rooms,
        } = shared;
        let (names, memory_watermark) = (endpoint.names.clone(), endpoint.memory_watermark);
        let server = format!("{}:{}", endpoint.host, endpoint.port);
        Self {
            endpoint,
            queue,
            pool,
            health: Health::new(telemetry.clone(), run.node.as_str(), server),
            lease: Lease::new(&run, &names),
            probe: Probe::new(),
            tables: Mutex::default(),
            pending: PendingWork::new(telemetry.clone()),
            window_ms: AtomicU64::new(0),
            subscription_changes: Notify::new(),
            claim_work: Notify::new(),
            publisher_retry: Notify::new(),
            subscriber_retry: Notify::new(),
            lease_renewed: Notify::new(),
            revocations_due: Notify::new(),
            publisher_redial: Notify::new(),
            subscriber_redial: Notify::new(),
            refusals: Coalesced::new(),
            unusable,
            end,
            tenant_rooms,
            caller: Caller::new(run, names, memory_watermark),
            telemetry,
        }
    }

    /// This node.
    pub(crate) fn node(&self) -> &NodeId {
        &self.caller.run.node
    }

    /// Queues a command for the publisher.
    pub(crate) fn send(&self, command: Command) -> Result<(), BrokerError> {
        if !self.health.is_publisher_up() {
            return Err(BrokerError::Unavailable);
        }
        self.queue.push(command).inspect_err(|error| {
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
        let tables = self.tables.lock();
        if !tables.claims.is_owner(&claim.key, claim.session()) {
            return Err(BrokerError::Superseded);
        }
        let epoch = tables.claims.epoch();
        self.send(Command::script(call(claim, epoch)))?;
        Ok(epoch)
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

    /// Whether an absent record proves that nobody owns the peer.
    pub(crate) fn absence_is_proof(&self) -> Result<(), BrokerError> {
        self.health.settled_for(SETTLE)?;
        if self.tables.lock().is_complete() {
            Ok(())
        } else {
            Err(BrokerError::Unsettled)
        }
    }

    /// Redis answered a command of this kind with an error.
    pub(crate) fn on_server_error(&self, op: RedisOp, error: &ServerError) {
        let (node, code, details) = (self.node(), error.code(), error.details());
        self.refusals.note(|count| {
            tracing::warn!(%node, count, op = op.as_str(), code, details, "Redis refused commands");
        });
        let Some(refusal) = Refusal::find(code, details) else {
            return;
        };
        self.health.refused(op, &refusal);
        if refusal.asks_for_another_server() {
            self.publisher_redial.notify_one();
            self.subscriber_redial.notify_one();
        }
    }

    /// Why this node must not run.
    pub(crate) fn taken_name(&self) -> String {
        let Endpoint { host, port, .. } = &self.endpoint;
        format!(
            "node.id: another node runs with the id `{}` on the Redis at {host}:{port}; give each node its own id",
            self.node()
        )
    }

    /// Another run of this node has its name: this one stops at once, before it delivers anything more.
    pub(crate) fn stop(&self, why: String) {
        tracing::error!(node = %self.node(), why, "the node stops");
        self.unusable.send_replace(Some(why));
        self.end.cancel();
    }

    /// Redis has lost records although the connections stayed, so others may have taken this node's peers: every
    /// claim is checked before another message comes in.
    pub(crate) fn records_lost(&self) {
        self.lease.was_lost();
        self.health.records_lost();
        self.revocations_due.notify_one();
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
