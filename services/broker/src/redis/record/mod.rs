//! The content of a peer's record as values: its owner, and the answer to a claim.

pub(crate) mod snapshot_text;

use bytes::Bytes;
use switchboard_core::{PreviousOwner, RoomMembership, SessionSnapshot};
use switchboard_protocol::NodeId;

/// The owner of a peer, by its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: NodeId,
    pub(crate) incarnation: String,
    pub(crate) session: String,
    pub(crate) is_attached: bool,
    /// Changes whenever the owner touches its record, because its client answered a probe.
    pub(crate) touches: Option<String>,
    /// The fence of its claim.
    pub(crate) fence: u64,
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) fence: u64,
    pub(crate) previous: Option<PreviousOwner>,
    pub(crate) snapshot: Option<SessionSnapshot>,
    /// The messages in the offline queue, oldest first.
    pub(crate) stored: Vec<Bytes>,
    /// The rooms of the session that owned the peer.
    pub(crate) rooms: Vec<RoomMembership>,
}

impl Claimed {
    /// Nobody had the peer, and nothing waited for it.
    pub(crate) fn of_new_peer(fence: u64) -> Self {
        Self {
            fence,
            previous: None,
            snapshot: None,
            stored: Vec::new(),
            rooms: Vec::new(),
        }
    }
}

/// The outcome of a re-assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reasserted {
    /// A claim with this higher fence stands.
    Outdone(u64),
    /// The claim is written again: its record had vanished.
    WasMissing,
    /// The claim stands. The record named this attached owner, which is this session or one with a lower fence.
    Stands(Option<PreviousOwner>),
}
