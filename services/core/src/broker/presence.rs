//! Where a peer is, by the shared record: who asks, and the answer. Not who is informed of changes (`presence`).

use std::time::Duration;

use switchboard_protocol::{Mid, NodeId, PresenceState};

/// Who asks where a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A send without an id, whose receiver was not found.
    Send(Mid),
    /// A question of this node with this number.
    Query(u64),
}

/// Where a peer is, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where it is.
    pub presence: Presence,
    /// The fence of its claim; 0 without a record.
    pub fence: u64,
    /// How long ago it was claimed, by the clocks of node and bus; zero if that is not known.
    pub claimed_for: Duration,
}

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// No owner.
    Offline,
    /// No owner now, but the session can be resumed.
    Detached,
    /// Only a node without a live lease owns it; the session can be resumed.
    Orphaned,
    /// A live node owns it.
    Attached {
        /// That node.
        node: NodeId,
    },
}

impl Presence {
    /// What peers learn of it.
    #[must_use]
    pub const fn state(&self) -> PresenceState {
        match self {
            Self::Offline => PresenceState::Offline,
            Self::Detached | Self::Orphaned => PresenceState::Detached,
            Self::Attached { .. } => PresenceState::Online,
        }
    }
}

impl Located {
    /// There is no record.
    pub const OFFLINE: Self = Self {
        presence: Presence::Offline,
        fence: 0,
        claimed_for: Duration::ZERO,
    };

    /// A session of `node`, this one, owns it.
    pub(crate) fn here(node: &NodeId, fence: u64) -> Self {
        let node = node.clone();
        Self {
            presence: Presence::Attached { node },
            fence,
            claimed_for: Duration::ZERO,
        }
    }
}
