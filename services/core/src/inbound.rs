//! What a receiver remembers of each sender, so that nothing is delivered twice or out of order. Not the
//! queue itself (`mailbox`).
//!
//! One number per sender session would do for order; two tell a repeated message that still waits in the
//! queue from one that has been written. Why that is enough: a sender transmits `prev`, the id before it
//! that is not final. A message is accepted only when `prev` was, so an id at or below the mark that its
//! sender still waits for was accepted – it is not a straggler that somebody gave up.

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use switchboard_protocol::SessionId;

/// A sender not heard for this long has nothing under way: its sends ended at their deadline long ago.
const FORGET_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
struct Marks {
    accepted: u64,
    written: u64,
    heard_at: Instant,
}

/// What to do with a numbered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// New and in order.
    Accept,
    /// Repeated, and still in the queue: its acknowledgement will come.
    AlreadyQueued,
    /// Repeated, and written before: acknowledge it again.
    AlreadyWritten,
    /// One before it is missing; its sender will repeat both in order.
    Gap,
    /// More senders than this receiver keeps track of.
    TooManySenders,
}

/// The marks of one receiver. Empty, it allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Inbound(HashMap<SessionId, Marks>);

impl Inbound {
    /// Judges message `id` of `sender`; does not change the marks.
    pub(crate) fn judge(
        &mut self,
        sender: SessionId,
        id: u64,
        prev: Option<u64>,
        most_senders: usize,
        now: Instant,
    ) -> Verdict {
        let accepted = match self.0.get(&sender).copied() {
            Some(marks) if id <= marks.written => return Verdict::AlreadyWritten,
            Some(marks) if id <= marks.accepted => return Verdict::AlreadyQueued,
            Some(marks) => marks.accepted,
            None if self.has_room(most_senders, now) => 0,
            None => return Verdict::TooManySenders,
        };
        match prev {
            Some(prev) if prev > accepted => Verdict::Gap,
            Some(_) | None => Verdict::Accept,
        }
    }

    /// Message `id` of `sender` is in the queue.
    pub(crate) fn accepted(&mut self, sender: SessionId, id: u64, now: Instant) {
        let marks = self.0.entry(sender).or_insert(Marks {
            accepted: 0,
            written: 0,
            heard_at: now,
        });
        marks.accepted = id;
        marks.heard_at = now;
    }

    /// Message `id` of `sender` is on the socket.
    pub(crate) fn written(&mut self, sender: SessionId, id: u64) {
        if let Some(marks) = self.0.get_mut(&sender) {
            marks.written = marks.written.max(id);
        }
    }

    /// Forgetting is done only when the table would have to grow, so it costs nothing per message.
    fn has_room(&mut self, most_senders: usize, now: Instant) -> bool {
        if self.0.len() == self.0.capacity() || self.0.len() >= most_senders {
            self.0.retain(|_, marks| {
                marks.written < marks.accepted || now.duration_since(marks.heard_at) < FORGET_AFTER
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

    fn judge(inbound: &mut Inbound, id: u64, prev: Option<u64>) -> Verdict {
        inbound.judge(ALICE, id, prev, 8, Instant::now())
    }

    #[test]
    fn a_repeated_message_is_told_apart_from_a_new_one_at_each_step() {
        let mut inbound = Inbound::default();
        assert_eq!(judge(&mut inbound, 3, None), Verdict::Accept);
        inbound.accepted(ALICE, 3, Instant::now());
        assert_eq!(judge(&mut inbound, 3, None), Verdict::AlreadyQueued);
        inbound.written(ALICE, 3);
        assert_eq!(judge(&mut inbound, 3, None), Verdict::AlreadyWritten);
        assert_eq!(judge(&mut inbound, 4, None), Verdict::Accept);
    }

    #[test]
    fn a_message_waits_for_the_one_before_it() {
        let mut inbound = Inbound::default();
        assert_eq!(judge(&mut inbound, 5, Some(4)), Verdict::Gap);
        inbound.accepted(ALICE, 4, Instant::now());
        assert_eq!(judge(&mut inbound, 5, Some(4)), Verdict::Accept);
    }

    #[test]
    fn a_send_that_ended_in_an_error_does_not_block_those_behind_it() {
        let mut inbound = Inbound::default();
        inbound.accepted(ALICE, 4, Instant::now());
        assert_eq!(judge(&mut inbound, 6, None), Verdict::Accept);
        assert_eq!(judge(&mut inbound, 6, Some(4)), Verdict::Accept);
    }

    #[test]
    fn senders_are_bounded_and_the_silent_ones_forgotten_first() {
        let mut inbound = Inbound::default();
        let start = Instant::now();
        inbound.accepted(ALICE, 1, start);
        inbound.written(ALICE, 1);
        assert_eq!(inbound.judge(CAROL, 1, None, 1, start), Verdict::TooManySenders);
        let later = start + FORGET_AFTER;
        assert_eq!(inbound.judge(CAROL, 1, None, 1, later), Verdict::Accept);
    }

    #[test]
    fn a_sender_with_a_message_in_the_queue_is_never_forgotten() {
        let mut inbound = Inbound::default();
        let start = Instant::now();
        inbound.accepted(ALICE, 1, start);
        let later = start + 2 * FORGET_AFTER;
        assert_eq!(inbound.judge(CAROL, 1, None, 1, later), Verdict::TooManySenders);
    }
}
