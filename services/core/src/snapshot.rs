//! What outlives a connection of a session: how far it had got, and what it has of each sender. Plain data
//! on its way from one node to the next through the shared record; written and read by the broker.

use switchboard_protocol::SessionId;

/// The state of a detached session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSnapshot {
    /// The number of the last event that was written to the client.
    pub last_seq: u64,
    /// Written but not acknowledged by the client (with `acks=client`), by rising number.
    pub tail: Vec<Unacked>,
    /// What the session has of each sender.
    pub marks: Vec<(SessionId, AcceptedRanges)>,
}

/// One message that was written to the client and that it has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unacked {
    /// Its number.
    pub seq: u64,
    /// The sender's session.
    pub sender: SessionId,
    /// The sender's id.
    pub id: u64,
}

/// What a receiver has of one sender: which ids were accepted, in runs, and up to which they are done, that
/// is on the socket or acknowledged by the client.
///
/// Ids between the runs were never accepted: they went to other receivers, or their sender gave them up. One
/// of those must never be delivered after a later one, nor be called delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedRanges {
    /// Every accepted id up to here is done.
    pub done: u64,
    /// Accepted ids, as first and last of each run, rising. Never empty once something was accepted.
    pub runs: Vec<(u64, u64)>,
}

/// Runs kept for one sender. The oldest is forgotten first: an id so far back counts as never accepted, and
/// its sender is told `timeout`, which is always true enough.
pub const MAX_RANGES: usize = 128;

impl AcceptedRanges {
    /// The highest accepted id; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.1)
    }

    /// Whether `id` was accepted.
    #[must_use]
    pub fn has(&self, id: u64) -> bool {
        // The newest run is nearly always the one.
        self.runs
            .iter()
            .rev()
            .any(|(first, last)| (*first..=*last).contains(&id))
    }

    /// Notes that `id`, higher than all before, was accepted.
    pub fn accept(&mut self, id: u64) {
        match self.runs.last_mut() {
            Some(run) if run.1 + 1 == id => run.1 = id,
            Some(_) | None => {
                if self.runs.len() >= MAX_RANGES {
                    self.runs.remove(0);
                }
                self.runs.push((id, id));
            }
        }
    }

    /// The client refused `id`: as if it had never been accepted.
    pub fn refuse(&mut self, id: u64) {
        let Some(at) = self
            .runs
            .iter()
            .position(|(first, last)| (*first..=*last).contains(&id))
        else {
            return;
        };
        let (first, last) = self.runs.remove(at);
        let rest = [(first, id - 1), (id + 1, last)];
        let rest = rest.into_iter().filter(|(first, last)| first <= last);
        self.runs.splice(at..at, rest);
    }

    /// Forgets what was accepted but is not done: it will come again.
    pub fn keep_done(&mut self) {
        let done = self.done;
        self.runs.retain(|run| run.0 <= done);
        if let Some(run) = self.runs.last_mut() {
            run.1 = run.1.min(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_skipped_is_told_apart_from_one_that_was_accepted() {
        let mut marks = AcceptedRanges::default();
        [1, 2, 5, 6].into_iter().for_each(|id| marks.accept(id));
        assert_eq!(marks.runs, [(1, 2), (5, 6)]);
        assert!(marks.has(2) && !marks.has(3) && marks.has(5) && !marks.has(7));
        assert_eq!(marks.last(), 6);
    }

    #[test]
    fn a_refused_id_was_never_accepted() {
        let mut marks = AcceptedRanges {
            done: 9,
            runs: vec![(3, 5), (9, 9)],
        };
        marks.refuse(4);
        assert_eq!(marks.runs, [(3, 3), (5, 5), (9, 9)]);
        marks.refuse(3);
        marks.refuse(7);
        assert_eq!(marks.runs, [(5, 5), (9, 9)]);
    }

    #[test]
    fn what_was_not_done_is_forgotten_so_that_it_can_come_again() {
        let mut marks = AcceptedRanges {
            done: 5,
            runs: vec![(1, 2), (5, 6), (9, 9)],
        };
        marks.keep_done();
        assert_eq!(marks.runs, [(1, 2), (5, 5)]);
    }

    #[test]
    fn runs_are_bounded_and_the_oldest_is_forgotten() {
        let mut marks = AcceptedRanges::default();
        (1..=2 * MAX_RANGES as u64 + 2)
            .step_by(2)
            .for_each(|id| marks.accept(id));
        assert_eq!(marks.runs.len(), MAX_RANGES);
        assert!(!marks.has(1) && marks.has(3));
    }
}
