//! What a receiver remembers of each sender, so that nothing is delivered twice or out of order, and nothing
//! is called delivered that was not. Not the queue itself (`mailbox`).

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use switchboard_protocol::SessionId;

use crate::{AcceptedRanges, SessionSnapshot};

/// A sender not heard for this long has nothing under way: its sends ended at their deadline long ago.
const FORGET_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Sender {
    marks: AcceptedRanges,
    heard_at: Instant,
}

/// What to do with a numbered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DedupVerdict {
    /// New and in order.
    Accept,
    /// Repeated, and not done yet: its acknowledgement will come.
    AlreadyQueued,
    /// Repeated, and done before: acknowledge it again.
    AlreadyDone,
    /// Later ones were accepted and this one never: it must not come any more.
    Late,
    /// One before it is missing; its sender will repeat both in order.
    Gap,
    /// More senders than this receiver keeps track of.
    TooManySenders,
}

/// The marks of one receiver. Empty, it allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct DuplicateFilter(HashMap<SessionId, Sender>);

impl DuplicateFilter {
    /// Judges message `id` of `sender`; does not change the marks.
    pub(crate) fn judge(
        &mut self,
        sender: SessionId,
        id: u64,
        prev: Option<u64>,
        most_senders: usize,
        now: Instant,
    ) -> DedupVerdict {
        let last = match self.0.get(&sender) {
            Some(Sender { marks, .. }) => {
                if id <= marks.last() {
                    return match (marks.has(id), id <= marks.done) {
                        (true, true) => DedupVerdict::AlreadyDone,
                        (true, false) => DedupVerdict::AlreadyQueued,
                        (false, _) => DedupVerdict::Late,
                    };
                }
                Some(marks.last())
            }
            None => None,
        };
        if last.is_none() && !self.has_room(most_senders, now) {
            return DedupVerdict::TooManySenders;
        }
        let last = last.unwrap_or_default();
        match prev {
            Some(prev) if prev > last => DedupVerdict::Gap,
            Some(_) | None => DedupVerdict::Accept,
        }
    }

    /// Message `id` of `sender` is in the queue.
    pub(crate) fn accepted(&mut self, sender: SessionId, id: u64, now: Instant) {
        let sender = self.0.entry(sender).or_insert_with(|| Sender {
            marks: AcceptedRanges::default(),
            heard_at: now,
        });
        sender.marks.accept(id);
        sender.heard_at = now;
    }

    /// Message `id` of `sender` is on the socket, or acknowledged by the client.
    pub(crate) fn done(&mut self, sender: SessionId, id: u64) {
        if let Some(Sender { marks, .. }) = self.0.get_mut(&sender) {
            marks.done = marks.done.max(id);
        }
    }

    /// The client refused message `id` of `sender`; it had a later one before, which this node cannot know.
    pub(crate) fn refused(&mut self, sender: SessionId, id: u64) {
        if let Some(Sender { marks, .. }) = self.0.get_mut(&sender) {
            marks.refuse(id);
        }
    }

    /// What the next connection of this session must know.
    pub(crate) fn save(&mut self) -> Vec<(SessionId, AcceptedRanges)> {
        let senders = std::mem::take(&mut self.0).into_iter();
        senders
            .map(|(session, mut sender)| {
                sender.marks.keep_done();
                (session, sender.marks)
            })
            .filter(|(_, marks)| !marks.runs.is_empty())
            .collect()
    }

    /// Takes up what an earlier connection saved; its client has seen everything up to `seen`.
    pub(crate) fn restore(&mut self, saved: SessionSnapshot, seen: u64, now: Instant) {
        for (session, marks) in saved.marks {
            self.0.insert(session, Sender { marks, heard_at: now });
        }
        for unacked in saved.tail.into_iter().take_while(|unacked| unacked.seq <= seen) {
            self.accepted(unacked.sender, unacked.id, now);
            self.done(unacked.sender, unacked.id);
        }
    }

    /// Forgetting is done only when the table would have to grow, so it costs nothing per message.
    fn has_room(&mut self, most_senders: usize, now: Instant) -> bool {
        if self.0.len() == self.0.capacity() || self.0.len() >= most_senders {
            self.0.retain(|_, sender| {
                sender.marks.done < sender.marks.last() || now.duration_since(sender.heard_at) < FORGET_AFTER
            });
            self.0.shrink_to(self.0.len() * 2);
        }
        self.0.len() < most_senders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: SessionId = SessionId::from_bytes([1; 12]);
    const CAROL: SessionId = SessionId::from_bytes([2; 12]);

    fn judge(inbound: &mut DuplicateFilter, id: u64, prev: Option<u64>) -> DedupVerdict {
        inbound.judge(ALICE, id, prev, 8, Instant::now())
    }

    #[test]
    fn a_repeated_message_is_told_apart_from_a_new_one_at_each_step() {
        let mut inbound = DuplicateFilter::default();
        assert_eq!(judge(&mut inbound, 3, None), DedupVerdict::Accept);
        inbound.accepted(ALICE, 3, Instant::now());
        assert_eq!(judge(&mut inbound, 3, None), DedupVerdict::AlreadyQueued);
        inbound.done(ALICE, 3);
        assert_eq!(judge(&mut inbound, 3, None), DedupVerdict::AlreadyDone);
        assert_eq!(judge(&mut inbound, 4, None), DedupVerdict::Accept);
    }

    #[test]
    fn a_message_waits_for_the_one_before_it() {
        let mut inbound = DuplicateFilter::default();
        assert_eq!(judge(&mut inbound, 5, Some(4)), DedupVerdict::Gap);
        inbound.accepted(ALICE, 4, Instant::now());
        assert_eq!(judge(&mut inbound, 5, Some(4)), DedupVerdict::Accept);
    }

    #[test]
    fn a_send_that_ended_in_an_error_does_not_block_those_behind_it() {
        let mut inbound = DuplicateFilter::default();
        inbound.accepted(ALICE, 4, Instant::now());
        assert_eq!(judge(&mut inbound, 6, None), DedupVerdict::Accept);
        assert_eq!(judge(&mut inbound, 6, Some(4)), DedupVerdict::Accept);
        inbound.accepted(ALICE, 6, Instant::now());
        inbound.done(ALICE, 6);
        assert_eq!(
            judge(&mut inbound, 5, None),
            DedupVerdict::Late,
            "nor may it come after them"
        );
    }

    #[test]
    fn the_next_connection_knows_what_was_done_and_what_the_client_has_seen() {
        let mut inbound = DuplicateFilter::default();
        (1..=4).for_each(|id| inbound.accepted(ALICE, id, Instant::now()));
        inbound.done(ALICE, 2);
        let saved = SessionSnapshot {
            last_seq: 4,
            tail: vec![unacked(3, 3), unacked(4, 4)],
            marks: inbound.save(),
        };
        let mut next = DuplicateFilter::default();
        next.restore(saved, 3, Instant::now());
        assert_eq!(judge(&mut next, 3, None), DedupVerdict::AlreadyDone);
        assert_eq!(judge(&mut next, 4, None), DedupVerdict::Accept);
    }

    fn unacked(seq: u64, id: u64) -> crate::Unacked {
        crate::Unacked {
            seq,
            sender: ALICE,
            id,
        }
    }

    #[test]
    fn senders_are_bounded_and_the_silent_ones_forgotten_first() {
        let mut inbound = DuplicateFilter::default();
        let start = Instant::now();
        inbound.accepted(ALICE, 1, start);
        inbound.done(ALICE, 1);
        assert_eq!(
            inbound.judge(CAROL, 1, None, 1, start),
            DedupVerdict::TooManySenders
        );
        let later = start + FORGET_AFTER;
        assert_eq!(inbound.judge(CAROL, 1, None, 1, later), DedupVerdict::Accept);
    }

    #[test]
    fn a_sender_with_a_message_in_the_queue_is_never_forgotten() {
        let mut inbound = DuplicateFilter::default();
        let start = Instant::now();
        inbound.accepted(ALICE, 1, start);
        let later = start + 2 * FORGET_AFTER;
        assert_eq!(
            inbound.judge(CAROL, 1, None, 1, later),
            DedupVerdict::TooManySenders
        );
    }
}
