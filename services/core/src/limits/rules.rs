//! What all accounts of a node share: the bounds, the sizes of their buckets, what the node itself has taken.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use switchboard_telemetry::{Budget, BudgetScope, Telemetry};

use super::{
    bounds::Limits,
    bucket::{BucketSize, whole_ns},
    scope::Scope,
};

/// The rules of one node.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(super) limits: Arc<Limits>,
    pub(super) telemetry: Telemetry,
    pub(super) node: Scope,
    pub(super) commands: BucketSize,
    pub(super) control: BucketSize,
    /// `None`: no bound.
    pub(super) tenant_commands: Option<BucketSize>,
    pub(super) address_commands: BucketSize,
    /// Whether tenants have quotas over all nodes: the operator's, or one that a token has claimed.
    pub(super) has_quotas: AtomicBool,
    /// For a peer, a tenant, the node.
    pub(super) stored: [BucketSize; 3],
    started_at: Instant,
}

impl Rules {
    pub(super) fn new(limits: &Arc<Limits>, telemetry: &Telemetry) -> Self {
        let stored = [
            limits.peer_stored_bytes,
            limits.tenant_stored_bytes,
            limits.node_stored_bytes,
        ];
        Self {
            limits: Arc::clone(limits),
            telemetry: telemetry.clone(),
            node: Scope::default(),
            commands: BucketSize::per_second(limits.messages_per_second, limits.message_burst),
            control: BucketSize::per_second(limits.control_frames_per_second, limits.control_burst),
            tenant_commands: (limits.tenant_messages_per_second > 0)
                .then(|| BucketSize::of_rate(limits.tenant_messages_per_second)),
            address_commands: BucketSize::of_rate(limits.address_messages_per_second),
            has_quotas: AtomicBool::new(limits.tenant_connections > 0),
            stored: stored.map(|bytes| BucketSize::per_window(bytes, limits.resume_window.max(limits.hold))),
            started_at: Instant::now(),
        }
    }

    pub(super) fn refused(&self, budget: Budget, scope: BudgetScope) {
        self.telemetry.budget_refused(budget, scope);
    }

    pub(super) fn ns(&self, now: Instant) -> u64 {
        whole_ns(now.saturating_duration_since(self.started_at))
    }
}
