//! What a receiver remembers of each sender. So nothing is delivered twice or out of order, and nothing is
//! called delivered that was not. Not the queue itself (`send_queue`).

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use switchboard_protocol::SessionId;

use super::accepted_ranges::AcceptedRanges;
use crate::session::snapshot::SessionSnapshot;

/// A sender that is silent for this long has nothing under way: its sends ended at their deadline long ago.
pub(crate) const FORGET_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct SenderState {
    accepted: AcceptedRanges,
    last_at: Instant,
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
    /// A later one was accepted and this one never was: it must not be delivered any more.
    Late,
    /// One before it is missing; its sender will repeat both in order.
    Gap,
    /// More senders than this receiver keeps track of.
    TooManySenders,
}

/// The state of one receiver. While it is empty, it allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct DuplicateFilter(HashMap<SessionId, SenderState>);

impl DuplicateFilter {
    /// Classifies message `id` of `sender`. It changes nothing, but may forget silent senders to make room.
    pub(crate) fn classify(
        &mut self,
        sender: SessionId,
        id: u64,
        prev: Option<u64>,
        max_senders: usize,
        now: Instant,
    ) -> DedupVerdict {
        let last = match self.0.get(&sender) {
            Some(SenderState { accepted, .. }) => {
                if id <= accepted.last() {
                    return match (accepted.has(id), id <= accepted.done) {
                        (true, true) => DedupVerdict::AlreadyDone,
                        (true, false) => DedupVerdict::AlreadyQueued,
                        (false, _) => DedupVerdict::Late,
                    };
                }
                Some(accepted.last())
            }
            None => None,
        };
        if last.is_none() && !self.make_room(max_senders, now) {
            return DedupVerdict::TooManySenders;
        }
        let last = last.unwrap_or_default();
        match prev {
            Some(prev) if prev > last => DedupVerdict::Gap,
            Some(_) | None => DedupVerdict::Accept,
        }
    }

    /// Message `id` of `sender` is in the send queue.
    pub(crate) fn accept(&mut self, sender: SessionId, id: u64, now: Instant) {
        let state = self.0.entry(sender).or_insert_with(|| SenderState {
            accepted: AcceptedRanges::default(),
            last_at: now,
        });
        state.accepted.accept(id);
        state.last_at = now;
    }

    /// Message `id` of `sender` is on the socket, or acknowledged by the client.
    pub(crate) fn complete(&mut self, sender: SessionId, id: u64) {
        if let Some(SenderState { accepted, .. }) = self.0.get_mut(&sender) {
            accepted.done = accepted.done.max(id);
        }
    }

    /// The client refused message `id` of `sender`: it had a later one before, which this node cannot know.
    pub(crate) fn refuse(&mut self, sender: SessionId, id: u64) {
        if let Some(SenderState { accepted, .. }) = self.0.get_mut(&sender) {
            accepted.refuse(id);
        }
    }

    /// Takes out what the next connection of this session must know.
    pub(crate) fn take_done(&mut self) -> Vec<(SessionId, AcceptedRanges)> {
        let senders = std::mem::take(&mut self.0).into_iter();
        senders
            .map(|(session, mut sender)| {
                sender.accepted.keep_done();
                (session, sender.accepted)
            })
            .filter(|(_, accepted)| !accepted.ranges.is_empty())
            .collect()
    }

    /// Continues with what an earlier connection left; its client has seen everything up to `seen`.
    pub(crate) fn restore(&mut self, snapshot: SessionSnapshot, seen: u64, now: Instant) {
        for (session, accepted) in snapshot.accepted {
            let last_at = now;
            self.0.insert(session, SenderState { accepted, last_at });
        }
        for unacked in snapshot
            .tail
            .into_iter()
            .take_while(|unacked| unacked.seq <= seen)
        {
            self.accept(unacked.sender, unacked.id, now);
            self.complete(unacked.sender, unacked.id);
        }
    }

    /// Forgets silent senders if there is no room for another one; `false` if there is still none. It looks only
    /// when the table would have to grow, so it costs nothing per message.
    fn make_room(&mut self, max_senders: usize, now: Instant) -> bool {
        if self.0.len() == self.0.capacity() || self.0.len() >= max_senders {
            self.0.retain(|_, sender| {
                let has_undone = sender.accepted.done < sender.accepted.last();
                has_undone || now.duration_since(sender.last_at) < FORGET_AFTER
            });
            self.0.shrink_to(self.0.len() * 2);
        }
        self.0.len() < max_senders
    }
}
