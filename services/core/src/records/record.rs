//! The record of one peer: its owner, whether it is attached, and what waits for it.

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use switchboard_protocol::{Info, NodeId, ResumeToken, RoomId, SessionId};

use super::{held_budgets::HeldBudgets, waiting::Waiting};
use crate::{
    broker::{
        claim::Retention,
        rooms::RoomMembership,
        stored_message::{StoreOutcome, StoredMessage},
    },
    session::snapshot::SessionSnapshot,
};

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) node: NodeId,
    pub(crate) token: ResumeToken,
    pub(crate) window: Duration,
    pub(crate) fence: u64,
    pub(crate) claimed_at: Instant,
    pub(crate) state: State,
    /// Boxed, because for most peers nothing ever waits.
    pub(crate) waiting: Option<Box<Waiting>>,
    /// The rooms that the session is in, and what it shows of itself there; boxed, because most sessions are in none.
    pub(crate) rooms: Option<Box<SessionRooms>>,
    /// Counts the frames that were reported by `touch`.
    pub(crate) alive: u64,
}

/// The rooms of one session, and what it shows of itself in each.
pub(crate) type SessionRooms = HashMap<RoomId, Option<Info>>;

#[derive(Debug)]
pub(crate) enum State {
    Attached,
    Detached {
        /// Boxed, because most sessions are attached.
        snapshot: Option<Box<SessionSnapshot>>,
        until: Instant,
    },
}

impl Record {
    pub(crate) fn is_attached(&self) -> bool {
        matches!(self.state, State::Attached)
    }

    /// Whether its resume window is over.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        matches!(self.state, State::Detached { until, .. } if until <= now)
    }

    pub(crate) fn is_owned_by(&self, node: &NodeId, session: SessionId) -> bool {
        self.node == *node && self.token.session == session
    }

    /// Its owner detached it.
    pub(crate) fn detach(&mut self, retention: Retention, now: Instant) {
        let Retention { mut snapshot, window } = retention;
        let accepted = snapshot
            .as_mut()
            .map(|snapshot| std::mem::take(&mut snapshot.accepted));
        for (sender, mut accepted) in accepted.into_iter().flatten() {
            // What was stored in the meantime stays behind it.
            let last = accepted.last();
            let waiting = self.waiting.get_or_insert_default();
            let stored = waiting.accepted.remove(&sender).unwrap_or_default();
            let later = stored.ranges.into_iter().filter(|range| range.0 > last);
            accepted.ranges.extend(later);
            waiting.accepted.insert(sender, accepted);
        }
        let until = now + window;
        if let Some(waiting) = &mut self.waiting {
            waiting.offline_queue.end(until);
        }
        let snapshot = snapshot.map(Box::new);
        self.state = State::Detached { snapshot, until };
    }

    /// Its owner is gone, and nobody can say how far the session had got.
    pub(crate) fn orphan(&mut self, window: Duration, now: Instant) {
        let snapshot = None;
        self.detach(Retention { snapshot, window }, now);
    }

    /// Puts `message` into the offline queue.
    pub(crate) fn store(
        &mut self,
        message: &StoredMessage,
        owner_is_dead: bool,
        budgets: &mut HeldBudgets,
        now: Instant,
    ) -> StoreOutcome {
        let window = match &self.state {
            State::Attached if !message.is_urgent && !owner_is_dead => return StoreOutcome::Attached,
            State::Attached => message.window,
            State::Detached { until, .. } => until.saturating_duration_since(now),
        };
        let waiting = self.waiting.get_or_insert_default();
        let outcome = waiting.store(message, window, budgets, now);
        if owner_is_dead && self.is_attached() && matches!(outcome, StoreOutcome::Queued { .. }) {
            self.state = State::Detached {
                snapshot: None,
                until: now + window,
            };
        }
        outcome
    }

    /// The rooms for the next claim.
    pub(crate) fn memberships(&self) -> Vec<RoomMembership> {
        let session = self.token.session;
        let rooms = self.rooms.iter().flat_map(|rooms| rooms.iter());
        let rooms = rooms.map(|(room, info)| RoomMembership {
            room: room.clone(),
            session,
            info: info.clone(),
        });
        rooms.collect()
    }
}
