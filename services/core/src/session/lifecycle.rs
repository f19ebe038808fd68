//! The life of sessions on this node. This is only the state that its steps share; the steps are `attach`,
//! `resume` and `detach`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use switchboard_protocol::ResumeToken;

use super::handle::Session;
use crate::{
    context::Context, presence::side::PresenceSide, receive::side::ReceiverSide, rooms::side::RoomSide,
    send::side::SenderSide,
};

pub(crate) struct Lifecycle {
    pub(super) cx: Arc<Context>,
    pub(super) parts: Parts,
    attaches: AtomicU64,
}

/// The sides of a node that a session takes part in.
pub(crate) struct Parts {
    pub(crate) sender: Arc<SenderSide>,
    pub(crate) receiver: Arc<ReceiverSide>,
    pub(crate) presence: Arc<PresenceSide>,
    pub(crate) rooms: Arc<RoomSide>,
}

impl Lifecycle {
    pub(crate) fn new(cx: Arc<Context>, parts: Parts) -> Self {
        Self {
            cx,
            parts,
            attaches: AtomicU64::new(0),
        }
    }

    /// Numbers the attaches in the order in which they begin.
    pub(super) fn next_order(&self) -> u64 {
        self.attaches.fetch_add(1, Ordering::Relaxed)
    }
}

/// A session that has just attached.
pub(crate) struct Attached {
    pub(crate) session: Arc<Session>,
    /// With which the session can be resumed.
    pub(crate) token: ResumeToken,
    pub(crate) continuation: Continuation,
}

/// How a connection continues an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// Whether an earlier connection's session continues.
    pub(crate) resumed: bool,
    /// Whether something of an earlier connection may be missing.
    pub(crate) gap: bool,
    /// Whether messages to its rooms may be missing that were on their way to its client.
    pub(crate) room_gap: bool,
}
