//! What a receiver remembers of each sender. So nothing is delivered twice or out of order, and nothing is
//! called delivered that was not. Not the queue itself (`send_queue`).

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use switchboard_protocol::{PeerKey, SessionId};

use super::accepted_ranges::AcceptedRanges;
use crate::{limits::Limits, send::pending::QUEUED_RETRY_DELAY, session::snapshot::SessionSnapshot};

/// A sender that is silent for this long has nothing under way: its sends ended at their deadline long ago.
pub(crate) const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Sessions of one sending peer in a receiver's table. The peer's oldest idle one gives way to the next.
pub(crate) const SESSIONS_PER_SENDING_PEER: usize = 16;

/// How much longer than its deadline a send's last repetition may be on its way.
const REPETITION_MARGIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct SenderState {
    accepted: AcceptedRanges,
    last_at: Instant,
    /// Its peer; none if an earlier connection knew it.
    peer: Option<PeerKey>,
}

impl SenderState {
    /// Whether nothing of it is under way: it would have been transmitted again within this time.
    fn is_idle(&self, for_at_least: Duration, now: Instant) -> bool {
        let is_done = self.accepted.done >= self.accepted.last();
        is_done && now.saturating_duration_since(self.last_at) >= for_at_least
    }
}

/// Bytes of the state for each sender, without its ranges.
#[cfg(test)]
pub(crate) const ENTRY_BYTES: usize = size_of::<(SessionId, SenderState)>();

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
    /// Classifies message `id` of `sender`, a session of `peer`. It accepts nothing, but may forget silent senders
    /// to make room.
    pub(crate) fn classify(
        &mut self,
        (sender, peer): (SessionId, &PeerKey),
        id: u64,
        prev: Option<u64>,
        limits: &Limits,
        now: Instant,
    ) -> DedupVerdict {
        let last = match self.0.get_mut(&sender) {
            Some(SenderState {
                accepted, last_at, ..
            }) => {
                if id <= accepted.last() {
                    // It repeats, so more repetitions may follow.
                    *last_at = now;
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
        if last.is_none() && !self.make_room(peer, limits, now) {
            return DedupVerdict::TooManySenders;
        }
        let last = last.unwrap_or_default();
        match prev {
            Some(prev) if prev > last => DedupVerdict::Gap,
            Some(_) | None => DedupVerdict::Accept,
        }
    }

    /// Message `id` of `sender` is in the send queue.
    pub(crate) fn accept(&mut self, sender: SessionId, peer: Option<&PeerKey>, id: u64, now: Instant) {
        let state = self.0.entry(sender).or_insert_with(|| SenderState {
            accepted: AcceptedRanges::default(),
            last_at: now,
            peer: peer.cloned(),
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

    /// Takes out what the next connection of this session must know, the most recent senders first.
    pub(crate) fn take_done(&mut self) -> Vec<(SessionId, AcceptedRanges)> {
        let mut senders: Vec<_> = std::mem::take(&mut self.0).into_iter().collect();
        senders.sort_unstable_by_key(|(_, sender)| Reverse(sender.last_at));
        senders
            .into_iter()
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
            let state = SenderState {
                accepted,
                last_at: now,
                peer: None,
            };
            self.0.insert(session, state);
        }
        for unacked in snapshot
            .tail
            .into_iter()
            .take_while(|unacked| unacked.seq <= seen)
        {
            self.accept(unacked.sender, None, unacked.id, now);
            self.complete(unacked.sender, unacked.id);
        }
    }

    /// Forgets silent senders if there is no room for another session of `peer`; `false` if there is still none.
    /// It looks only when the table would have to grow, or the peer may have used up its share, so it costs nothing
    /// per message.
    fn make_room(&mut self, peer: &PeerKey, limits: &Limits, now: Instant) -> bool {
        let max_senders = limits.senders_per_receiver;
        if self.0.len() == self.0.capacity() || self.0.len() >= max_senders {
            self.0.retain(|_, sender| !sender.is_idle(FORGET_AFTER, now));
            self.0.shrink_to(self.0.len() * 2);
        }
        if self.0.len() >= SESSIONS_PER_SENDING_PEER {
            let is_own = |sender: &SenderState| sender.peer.as_ref() == Some(peer);
            let own = self.0.values().filter(|sender| is_own(sender)).count();
            if own >= SESSIONS_PER_SENDING_PEER && !self.forget_oldest_idle(is_own, limits, now) {
                return false;
            }
        }
        self.0.len() < max_senders || self.forget_oldest_idle(|_| true, limits, now)
    }

    /// Forgets the sender among those that `may_go` which is idle for longest; `false` if none is.
    fn forget_oldest_idle(
        &mut self,
        may_go: impl Fn(&SenderState) -> bool,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let last_repetition = limits.send_deadline.max(QUEUED_RETRY_DELAY) + REPETITION_MARGIN;
        let idle = self
            .0
            .iter()
            .filter(|(_, sender)| may_go(sender) && sender.is_idle(last_repetition, now));
        let oldest = idle.min_by_key(|(_, sender)| sender.last_at);
        let Some(oldest) = oldest.map(|(session, _)| *session) else {
            return false;
        };
        self.0.remove(&oldest);
        true
    }
}
