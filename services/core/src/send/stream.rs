//! The pending sends of one sender to one receiver, in order of their ids. Plain state.

use std::{collections::VecDeque, time::Instant};

use switchboard_protocol::ErrorCode;

use super::pending::Pending;

#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) pending: VecDeque<Pending>,
    /// The id with which it began: a timer of an earlier stream to the same receiver has another number.
    pub(crate) number: u64,
    /// One was refused: those behind it wait for the timer, so their order is kept.
    pub(crate) is_held: bool,
}

impl Stream {
    /// Adds a send; returns its index.
    pub(crate) fn insert(&mut self, pending: Pending) -> usize {
        // At the end, unless a client repeats it after a reconnect while later ones were transmitted.
        let index = self.pending.partition_point(|other| other.id < pending.id);
        self.pending.insert(index, pending);
        index
    }

    /// The id that the receiver must have accepted before the one at `index`.
    pub(crate) fn prev(&self, index: usize) -> Option<u64> {
        let before = self.pending.iter().take(index);
        before
            .rev()
            .find(|pending| !pending.is_only_stored())
            .map(|pending| pending.id)
    }

    /// Where `id` waits.
    pub(crate) fn find(&self, id: u64) -> Option<usize> {
        // Outcomes come mostly in order: nearly always it is the first one.
        match self.pending.front() {
            Some(front) if front.id == id => Some(0),
            _ => self.pending.binary_search_by_key(&id, |pending| pending.id).ok(),
        }
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Pending> {
        let index = self.find(id)?;
        self.pending.get_mut(index)
    }

    /// Sends past their deadline, and the outcome of each.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<(u64, ErrorCode)> {
        let overdue = self.pending.iter().filter(|pending| pending.deadline <= now);
        overdue.map(|pending| (pending.id, pending.at_deadline)).collect()
    }

    /// When the stream's timer must run next, if everything waits in the offline queue.
    pub(crate) fn next_if_all_queued(&self) -> Option<Instant> {
        let mut first: Option<Instant> = None;
        for pending in &self.pending {
            let until = pending.queued_until()?;
            first = Some(first.map_or(until, |first| first.min(until)));
        }
        first
    }

    /// Message `id` was refused for now: it and all behind it wait.
    pub(crate) fn hold_from(&mut self, id: u64, at_deadline: ErrorCode) {
        let Some(index) = self.find(id) else { return };
        self.is_held = true;
        self.pending
            .iter_mut()
            .skip(index)
            .filter(|pending| !pending.is_queued())
            .for_each(|pending| pending.wait(at_deadline));
    }
}
