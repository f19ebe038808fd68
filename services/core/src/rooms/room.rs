//! One room as far as this node's clients are in it. State only: what happens to it is in the other files of this folder.

use std::{sync::Arc, time::Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{Info, RoomId, RoomKey, SessionId};

use super::roster::RosterCopy;
use crate::session::handle::Session;

#[derive(Debug)]
pub(super) struct Room {
    pub(super) key: RoomKey,
    pub(super) id: RoomId,
    pub(super) state: Mutex<RoomState>,
}

#[derive(Debug, Default)]
pub(super) struct RoomState {
    pub(super) roster: RosterCopy,
    /// The roster is on its way, with the answer to a join.
    pub(super) is_roster_asked: bool,
    /// Members that are connected to this node and know it.
    pub(super) local: HashMap<SessionId, Local>,
    /// Sessions of this node that the broker has not entered, or whose client does not know it.
    pub(super) joining: HashMap<SessionId, Joiner>,
    /// Joins of each session that the broker has not answered. Only the last answer counts: before an earlier join
    /// was answered, the session may have left and joined again.
    pub(super) unanswered: HashMap<SessionId, u32>,
    /// Members hear counts instead of changes.
    pub(super) is_large: bool,
    /// The count that they received last.
    pub(super) last_count: usize,
    /// A member may be behind.
    pub(super) has_behind: bool,
    /// Messages to the room that this node received.
    pub(super) messages: u64,
    /// The next tick looks at the room.
    pub(super) is_due: bool,
    /// The roster is to be read anew.
    pub(super) is_reading: bool,
    /// Nobody is left: the room is out of the table, or about to be.
    pub(super) is_forgotten: bool,
}

/// A member that is connected to this node.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) session: Arc<Session>,
    pub(super) info: Option<Info>,
    /// It must replace its roster: it had no room for a change.
    pub(super) needs_roster: bool,
    /// It had no room for a message, or the node may have missed one.
    pub(super) has_missed: bool,
}

/// A session on its way into the room.
#[derive(Debug)]
pub(super) struct Joiner {
    pub(super) session: Arc<Session>,
    pub(super) info: Option<Info>,
    pub(super) cause: JoinCause,
    pub(super) progress: JoinProgress,
    pub(super) since: Instant,
}

/// Why a session enters a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinCause {
    /// Its client asked, perhaps with an `id`.
    Command(Option<u64>),
    /// It was in the room before; `gap` says whether messages may have been missed since.
    Return { gap: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinProgress {
    /// The broker was not reached.
    Unsent,
    /// The broker was asked.
    Asked,
    /// The room has the member since this version.
    Entered(u64),
}

impl Room {
    pub(super) fn new(key: &RoomKey) -> Arc<Self> {
        Arc::new(Self {
            key: key.clone(),
            id: key.room_id(),
            state: Mutex::default(),
        })
    }
}

impl RoomState {
    /// Whether no client of this node is in the room, or on its way into it, and no answer is to come.
    pub(super) fn is_empty(&self) -> bool {
        self.local.is_empty() && self.joining.is_empty() && self.unanswered.is_empty()
    }

    /// The broker has answered a join of `session`; whether it was the last one.
    pub(super) fn count_answer(&mut self, session: SessionId) -> bool {
        let Some(unanswered) = self.unanswered.get_mut(&session) else {
            return false;
        };
        *unanswered -= 1;
        let is_last = *unanswered == 0;
        if is_last {
            self.unanswered.remove(&session);
        }
        is_last
    }

    /// Whether the client of `session` may believe that it is a member.
    pub(super) fn is_member(&self, session: SessionId) -> bool {
        let is_back = |joiner: &Joiner| matches!(joiner.cause, JoinCause::Return { .. });
        self.local.contains_key(&session) || self.joining.get(&session).is_some_and(is_back)
    }
}

impl Local {
    /// Whether it must hear `joined` again.
    pub(super) fn is_behind(&self) -> bool {
        self.needs_roster || self.has_missed
    }
}
