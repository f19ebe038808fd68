//! Work that waits until Redis is back, bounded: releases and leaves that could not be sent, and sessions of this node
//! that lost their peer. Not the worker that does it (`claim_worker`).

use std::collections::VecDeque;

use parking_lot::Mutex;
use switchboard_core::{RoomJoin, RoomLeave};
use switchboard_protocol::NodeMessage;
use switchboard_telemetry::{Queue, ShardTelemetry};

use crate::{
    partition::{Partition, PartitionSet},
    redis::claim::Release,
};

/// Releases and notices kept while Redis is away. A release that does not fit leaves a record that names this
/// node for a peer it no longer has; senders to that peer get `timeout` instead of `peer-offline`. A leave that does not
/// fit leaves a member in its room until this run ends.
const MAX_PENDING: usize = 65_536;

/// The work, shared.
pub(crate) struct PendingWork {
    items: Mutex<Pending>,
    telemetry: ShardTelemetry,
}

/// The work itself.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) releases: VecDeque<Release>,
    /// Members to remove from their rooms.
    pub(crate) leaves: VecDeque<RoomLeave>,
    /// Joins that were not carried out, and of which this node has to learn. Never refused: each has to be answered.
    pub(crate) refused: Vec<RoomJoin>,
    /// Takeovers that this node has to learn of.
    pub(crate) takeovers: VecDeque<NodeMessage>,
}

impl Pending {
    fn len(&self) -> usize {
        self.releases.len() + self.leaves.len() + self.takeovers.len()
    }
}

impl PendingWork {
    pub(crate) fn new(telemetry: ShardTelemetry) -> Self {
        Self {
            items: Mutex::default(),
            telemetry,
        }
    }

    /// Keeps a release for later.
    pub(crate) fn add_release(&self, release: Release) {
        self.add(|pending| pending.releases.push_back(release));
    }

    /// Keeps a leave for later.
    pub(crate) fn add_leave(&self, leave: RoomLeave) {
        self.add(|pending| pending.leaves.push_back(leave));
    }

    /// Keeps the refusal of a join for later. As many as there are joins that wait for a channel, at most.
    pub(crate) fn add_refused(&self, join: RoomJoin) {
        self.items.lock().refused.push(join);
    }

    /// Keeps a takeover for later.
    pub(crate) fn add_takeover(&self, takeover: NodeMessage) {
        self.add(|pending| pending.takeovers.push_back(takeover));
    }

    fn add(&self, push: impl FnOnce(&mut Pending)) {
        let mut pending = self.items.lock();
        if pending.len() >= MAX_PENDING {
            self.telemetry.queue_overflow(Queue::Publisher);
            return;
        }
        push(&mut pending);
    }

    /// Takes the releases and leaves of some partitions.
    pub(crate) fn hand_over(&self, partitions: &PartitionSet) -> (VecDeque<Release>, VecDeque<RoomLeave>) {
        let mut pending = self.items.lock();
        let moves = |name: &str| partitions.contains(Partition::of(name));
        let (releases, stay) = std::mem::take(&mut pending.releases)
            .into_iter()
            .partition(|release| moves(release.key.as_str()));
        pending.releases = stay;
        let (leaves, stay) = std::mem::take(&mut pending.leaves)
            .into_iter()
            .partition(|leave| moves(leave.room.as_str()));
        pending.leaves = stay;
        (releases, leaves)
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> Pending {
        std::mem::take(&mut *self.items.lock())
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::{PeerKey, SessionId};

    use super::*;

    fn release() -> Release {
        Release {
            key: PeerKey::parse("acme/bob").unwrap(),
            session: SessionId::from_bytes([1; 12]),
            fence: 1,
            retention: None,
        }
    }

    fn telemetry() -> ShardTelemetry {
        switchboard_telemetry::Telemetry::new("n1").of_shard("127.0.0.1:1")
    }

    fn takeover() -> NodeMessage {
        let Release {
            key, session, fence, ..
        } = release();
        NodeMessage::Takeover { key, session, fence }
    }

    #[test]
    fn pending_work_is_taken_once() {
        let work = PendingWork::new(telemetry());
        work.add_release(release());
        work.add_takeover(takeover());
        let pending = work.take();
        assert_eq!((pending.releases.len(), pending.takeovers.len()), (1, 1));
        let pending = work.take();
        assert_eq!((pending.releases.len(), pending.takeovers.len()), (0, 0));
    }

    #[test]
    fn releases_and_takeovers_share_one_bound() {
        let work = PendingWork::new(telemetry());
        for _ in 0..MAX_PENDING - 1 {
            work.add_release(release());
        }
        work.add_takeover(takeover());
        work.add_takeover(takeover());
        work.add_release(release());
        let pending = work.take();
        assert_eq!(
            (pending.releases.len(), pending.takeovers.len()),
            (MAX_PENDING - 1, 1)
        );
    }
}
