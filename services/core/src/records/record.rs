//! The record of one peer: its owner, whether it is attached, and what waits for it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use switchboard_protocol::{Info, NodeId, ResumeToken, RoomId, SessionId};

use super::offline_queue::OfflineQueue;
use crate::{
    broker::{
        claim::Retention,
        rooms::RoomMembership,
        stored_message::{StoreOutcome, StoredMessage},
    },
    receive::accepted_ranges::AcceptedRanges,
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
    /// From each sender: ids that were done before the detach, then those in the offline queue.
    pub(crate) accepted: HashMap<SessionId, AcceptedRanges>,
    pub(crate) offline_queue: OfflineQueue,
    /// The rooms that the session is in, and what it shows of itself there.
    pub(crate) rooms: HashMap<RoomId, Option<Info>>,
    /// Counts the frames that were reported by `touch`.
    pub(crate) alive: u64,
}

#[derive(Debug)]
pub(crate) enum State {
    Attached,
    Detached {
        snapshot: Option<SessionSnapshot>,
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
            let stored = self.accepted.remove(&sender).unwrap_or_default();
            let later = stored.ranges.into_iter().filter(|range| range.0 > last);
            accepted.ranges.extend(later);
            self.accepted.insert(sender, accepted);
        }
        let until = now + window;
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
        now: Instant,
    ) -> StoreOutcome {
        let kept_for = match &self.state {
            State::Attached if !message.is_urgent && !owner_is_dead => return StoreOutcome::Attached,
            State::Attached => message.window,
            State::Detached { until, .. } => until.saturating_duration_since(now),
        };
        let accepted = self.accepted.entry(message.mid.session).or_default();
        if accepted.has(message.id) {
            return if message.id <= accepted.done {
                StoreOutcome::Delivered
            } else {
                StoreOutcome::Queued(kept_for)
            };
        }
        if message.id < accepted.last() {
            return StoreOutcome::Late;
        }
        if message.prev.is_some_and(|prev| prev > accepted.last()) {
            return StoreOutcome::Gap;
        }
        if !self.offline_queue.has_room(&message.from, message.envelope.len()) {
            return StoreOutcome::Full;
        }
        // One range for each message, as the scripts write it: nothing is known of ids in between.
        accepted.ranges.push((message.id, message.id));
        let envelope = Bytes::from(message.envelope.clone());
        self.offline_queue.push(&message.from, envelope);
        if owner_is_dead && self.is_attached() {
            self.orphan(kept_for, now);
        }
        StoreOutcome::Queued(kept_for)
    }

    /// The rooms for the next claim.
    pub(crate) fn memberships(&self) -> Vec<RoomMembership> {
        let session = self.token.session;
        let rooms = self.rooms.iter().map(|(room, info)| RoomMembership {
            room: room.clone(),
            session,
            info: info.clone(),
        });
        rooms.collect()
    }

    /// The ids that were done before the detach. Those in the offline queue are left out: among the accepted ids
    /// they would look like repetitions.
    pub(crate) fn take_done(&mut self) -> Vec<(SessionId, AcceptedRanges)> {
        let accepted = self.accepted.drain().map(|(sender, mut accepted)| {
            accepted.keep_done();
            (sender, accepted)
        });
        accepted
            .filter(|(_, accepted)| !accepted.ranges.is_empty())
            .collect()
    }
}
