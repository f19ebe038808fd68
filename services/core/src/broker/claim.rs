//! Claims: how a node becomes the owner of a peer, and what it leaves behind when it gives the peer up.

use std::time::Duration;

use bytes::Bytes;
use switchboard_protocol::{NodeId, NodeMessage, PeerKey, ResumeToken, SessionId};

use super::rooms::RoomMembership;
use crate::session::snapshot::SessionSnapshot;

/// How a node claims a peer.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The session, and the secret with which it can be resumed.
    pub token: ResumeToken,
    /// Only if the record has this very session and secret.
    pub resume: bool,
    /// What happens while another session owns the peer.
    pub on_conflict: ConflictPolicy,
    /// How long the session can be resumed once it is detached.
    pub window: Duration,
}

/// What happens when the claimed peer is attached elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// Take it over at once.
    TakeOver,
    /// Ask its node to detach it. Take it over when that has happened, or after this time.
    DetachThenTakeOver(Duration),
    /// Ask its node whether the client is alive. Reject the claim if the node says so within this time, else
    /// take the peer over.
    ProbeThenReject(Duration),
}

impl ConflictPolicy {
    /// The question to the owner's node, if there is one.
    #[must_use]
    pub fn question(self, key: &PeerKey, session: SessionId) -> Option<NodeMessage> {
        let key = key.clone();
        match self {
            Self::TakeOver => None,
            Self::DetachThenTakeOver(_) => Some(NodeMessage::DetachRequest { key, session }),
            Self::ProbeThenReject(_) => Some(NodeMessage::Probe { key, session }),
        }
    }
}

/// The outcome of a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimOutcome {
    /// Grows with every claim of this peer, anywhere; 0 while unconfirmed.
    pub fence: u64,
    /// Whether the subscription is confirmed and the claim stands.
    pub confirmed: bool,
    /// The owner before this claim, if it has not released the peer.
    pub previous: Option<PreviousOwner>,
    /// What the session's last node kept of it when it was detached; `None` when it could not.
    pub snapshot: Option<SessionSnapshot>,
    /// The peer's offline queue, oldest first.
    pub offline_queue: Vec<Bytes>,
    /// The rooms of the session that owned the peer before this claim: the resumed one, or one that ends with it.
    pub rooms: Vec<RoomMembership>,
}

/// The session that owned a peer before a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousOwner {
    /// Its node.
    pub node: NodeId,
    /// Its session.
    pub session: SessionId,
}

/// The session that [`Broker::end_session`](crate::Broker::end_session) has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedSession {
    /// Its connection was open; its node has closed it.
    Attached,
    /// It waited for a resume, or its node was dead. Nobody has removed it from its rooms.
    Detached {
        /// The session.
        session: SessionId,
        /// The rooms that its record named.
        rooms: Vec<RoomMembership>,
    },
}

/// What the record keeps of a detached session, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The session's state; `None` when its node cannot say.
    pub snapshot: Option<SessionSnapshot>,
    /// How long it can be resumed.
    pub window: Duration,
}
