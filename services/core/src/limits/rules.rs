//! What all accounts of a node share: the bounds, the sizes of their buckets, what the node itself has taken.

use std::{sync::Arc, time::Instant};

use switchboard_telemetry::Telemetry;

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
            stored: stored.map(|bytes| BucketSize::per_window(bytes, limits.resume_window.max(limits.hold))),
            started_at: Instant::now(),
        }
    }

    pub(super) fn ns(&self, now: Instant) -> u64 {
        whole_ns(now.saturating_duration_since(self.started_at))
    }
}
