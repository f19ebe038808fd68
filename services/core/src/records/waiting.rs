//! What waits for one peer: its offline queue, and the ids of each sender that are in it or were done before. It may outlive
//! the session for which it began.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use switchboard_protocol::SessionId;

use super::{held_budgets::HeldBudgets, offline_queue::OfflineQueue};
use crate::{
    broker::stored_message::{StoreOutcome, StoredMessage},
    receive::accepted_ranges::AcceptedRanges,
};

/// How long after somebody was asked to wake a peer up nobody is asked again.
const WAKE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// From each sender: ids that were done before the detach, then those in the offline queue.
    pub(crate) accepted: HashMap<SessionId, AcceptedRanges>,
    pub(crate) offline_queue: OfflineQueue,
    woken_at: Option<Instant>,
}

impl Waiting {
    /// Messages for the next session; what its senders had stored before is no more asked for.
    pub(crate) fn of(offline_queue: OfflineQueue) -> Self {
        Self {
            offline_queue,
            ..Self::default()
        }
    }

    /// Puts `message` into the offline queue. Its receiver has a session for `window` more; zero: none.
    pub(crate) fn store(
        &mut self,
        message: &StoredMessage,
        window: Duration,
        budgets: &mut HeldBudgets,
        now: Instant,
    ) -> StoreOutcome {
        let hold = message.hold.map_or(Duration::ZERO, |hold| hold.time);
        let kept_for = window.max(hold);
        if kept_for.is_zero() {
            return StoreOutcome::Offline;
        }
        let accepted = self.accepted.entry(message.mid.session).or_default();
        if accepted.has(message.id) {
            return if message.id <= accepted.done {
                StoreOutcome::Delivered
            } else {
                self.queued(message, kept_for, now)
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
        if let Some(hold) = message.hold.filter(|hold| hold.time > window)
            && !budgets.charge(message.from.tenant(), message.envelope.len(), hold, now)
        {
            return StoreOutcome::TenantFull;
        }
        // One range for each message, as the scripts write it: nothing is known of ids in between.
        accepted.ranges.push((message.id, message.id));
        let envelope = Bytes::from(message.envelope.clone());
        self.offline_queue.push(&message.from, envelope, now + kept_for);
        self.queued(message, kept_for, now)
    }

    fn queued(&mut self, message: &StoredMessage, kept_for: Duration, now: Instant) -> StoreOutcome {
        let is_due = self.woken_at.is_none_or(|at| now >= at + WAKE_EVERY);
        let wakes = message.is_first && is_due;
        if wakes {
            self.woken_at = Some(now);
        }
        StoreOutcome::Queued { kept_for, wakes }
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
