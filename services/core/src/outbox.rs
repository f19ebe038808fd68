//! The sends of one session that wait for their final word, in streams of one receiver each. Plain state:
//! no timers, no sending; the router does both.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hashbrown::HashMap;
use switchboard_protocol::{ErrorCode, MessageKind, PeerKey, TraceContext};
use switchboard_telemetry::Path;

use crate::Limits;

/// The longest wait between two transmissions: a receiver that comes back is not left waiting by the backoff.
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How long a transmitted send waits before it is repeated; three times longer after each repeat.
pub(crate) const FIRST_RETRY: Duration = Duration::from_millis(150);

/// From this transmission on, a message that nobody hears goes into the mailbox even of an attached peer: its
/// node is dying, or it will find the hint.
const URGENT_ATTEMPTS: u32 = 3;

/// How much longer than the mailbox a sender waits: the last words of its reader are still on their way.
const QUEUED_MARGIN: Duration = Duration::from_secs(5);

/// How often a queued send is offered again.
const QUEUED_REPEAT: Duration = Duration::from_secs(5);

/// A send without its final word.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: u64,
    pub(crate) kind: MessageKind,
    pub(crate) payload: Bytes,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) accepted_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) progress: Progress,
    pub(crate) path: Path,
    /// What the sender is told if the deadline comes first.
    pub(crate) at_deadline: ErrorCode,
    attempts: u32,
    /// Its sender was told `queued`.
    pub(crate) was_queued: bool,
}

/// How far a pending send has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not handed on, or refused; waits for its stream's timer.
    Held,
    /// TransmitOutcome on; repeated at this time unless its final word comes first.
    Sent {
        /// When to repeat it.
        repeat_at: Instant,
    },
    /// In the mailbox of a detached receiver, whose next node will answer.
    Queued {
        /// When to offer it again, in case the mailbox or the answer was lost; `None`: the payload is there
        /// alone.
        repeat_at: Option<Instant>,
    },
}

impl Pending {
    pub(crate) fn new(
        id: u64,
        kind: MessageKind,
        payload: Bytes,
        trace: Option<TraceContext>,
        now: Instant,
        limits: &Limits,
    ) -> Self {
        Self {
            id,
            kind,
            payload,
            trace,
            accepted_at: now,
            deadline: now + limits.send_deadline,
            progress: Progress::Held,
            path: Path::Remote,
            at_deadline: ErrorCode::Timeout,
            attempts: 0,
            was_queued: false,
        }
    }

    /// Notes that it was handed on by `path`.
    pub(crate) fn sent(&mut self, path: Path, now: Instant) {
        let wait = (FIRST_RETRY * 3_u32.saturating_pow(self.attempts.min(6))).min(LONGEST_RETRY);
        self.attempts += 1;
        self.path = path;
        self.at_deadline = if self.was_queued {
            ErrorCode::Expired
        } else {
            ErrorCode::Timeout
        };
        self.progress = Progress::Sent {
            repeat_at: now + wait,
        };
    }

    /// Notes that it could not be handed on, or was refused.
    pub(crate) fn held(&mut self, at_deadline: ErrorCode) {
        self.at_deadline = at_deadline;
        self.progress = Progress::Held;
    }

    /// Whether it was handed on before.
    pub(crate) const fn was_sent(&self) -> bool {
        self.attempts > 0
    }

    /// Whether it was handed on so often that a receiver who is said to be there should have heard it.
    pub(crate) const fn is_urgent(&self) -> bool {
        self.attempts >= URGENT_ATTEMPTS
    }

    pub(crate) fn is_queued(&self) -> bool {
        matches!(self.progress, Progress::Queued { .. })
    }

    /// Whether only the mailbox has the payload.
    pub(crate) fn is_left(&self) -> bool {
        matches!(self.progress, Progress::Queued { repeat_at: None })
    }
}

/// The pending sends to one receiver, in order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) pending: VecDeque<Pending>,
    /// One was refused: those behind it wait for the timer, so that order is kept.
    pub(crate) is_held: bool,
}

impl Stream {
    /// The id that must have been accepted before the one at `index`.
    pub(crate) fn prev(&self, index: usize) -> Option<u64> {
        let before = self.pending.iter().take(index);
        before
            .rev()
            .find(|pending| !pending.is_left())
            .map(|pending| pending.id)
    }

    pub(crate) fn find_mut(&mut self, id: u64) -> Option<(usize, &mut Pending)> {
        let index = self.find(id)?;
        Some((index, self.pending.get_mut(index)?))
    }

    /// What is past its deadline, and what its sender is told.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<(u64, ErrorCode)> {
        let overdue = self.pending.iter().filter(|pending| pending.deadline <= now);
        overdue.map(|pending| (pending.id, pending.at_deadline)).collect()
    }

    /// When something is due, if all that waits lies in the mailbox.
    pub(crate) fn next_if_all_queued(&self) -> Option<Instant> {
        let next = |pending: &Pending| match pending.progress {
            Progress::Queued { repeat_at } => {
                Some(repeat_at.map_or(pending.deadline, |at| at.min(pending.deadline)))
            }
            Progress::Held | Progress::Sent { .. } => None,
        };
        self.pending
            .iter()
            .map(next)
            .try_fold(None, |first: Option<Instant>, next| {
                next.map(|next| Some(first.map_or(next, |first| first.min(next))))
            })?
    }

    fn find(&self, id: u64) -> Option<usize> {
        // SendOutcome words come mostly in order: the front is nearly always it.
        match self.pending.front() {
            Some(front) if front.id == id => Some(0),
            _ => self.pending.binary_search_by_key(&id, |pending| pending.id).ok(),
        }
    }

    /// The message `id` was refused for now: it and all behind it wait.
    pub(crate) fn hold_from(&mut self, id: u64, at_deadline: ErrorCode) -> bool {
        let Some(index) = self.find(id) else { return false };
        self.is_held = true;
        self.pending
            .iter_mut()
            .skip(index)
            .filter(|pending| !pending.is_queued())
            .for_each(|pending| pending.held(at_deadline));
        true
    }
}

/// All pending sends of one session.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    streams: HashMap<PeerKey, Stream>,
    receivers: HashMap<u64, PeerKey>,
    bytes: usize,
    /// Payload bytes of queued sends.
    queued_bytes: usize,
}

impl Outbox {
    /// Whether another send must wait until final words free room.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.receivers.len() >= limits.pending_messages
            || self.bytes >= limits.pending_bytes
            || self.streams.len() >= limits.streams_per_session
    }

    /// Adds a send to its stream: where, and whether the stream is new and wants a timer.
    pub(crate) fn admit(&mut self, to: &PeerKey, pending: Pending) -> (&mut Stream, usize, bool) {
        self.bytes += pending.payload.len();
        self.receivers.insert(pending.id, to.clone());
        let is_new = !self.streams.contains_key(to);
        let stream = self.streams.entry_ref(to).or_default();
        // At the end, but for one that a client repeats after a reconnect while later ones went on.
        let index = stream.pending.partition_point(|other| other.id < pending.id);
        stream.pending.insert(index, pending);
        (stream, index, is_new)
    }

    pub(crate) fn stream(&mut self, to: &PeerKey) -> Option<&mut Stream> {
        self.streams.get_mut(to)
    }

    /// Whether `id` waits for its final word.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.receivers.contains_key(&id)
    }

    /// The send `id` lies in its receiver's mailbox for at most `kept_for`. `false` if it did before.
    ///
    /// Its payload is kept here too, while there is room for such payloads: so neither the loss of the mailbox
    /// nor that of an answer loses the message. It is not counted with the others, or peers that are away
    /// would hold up sends to those that are there.
    pub(crate) fn queued(&mut self, id: u64, kept_for: Duration, limits: &Limits, now: Instant) -> bool {
        let room = limits.pending_bytes.saturating_sub(self.queued_bytes);
        let Some((_, pending)) = self.stream_of(id).and_then(|stream| stream.find_mut(id)) else {
            return false;
        };
        let is_news = !std::mem::replace(&mut pending.was_queued, true);
        let bytes = pending.payload.len();
        if is_news && bytes > room {
            pending.payload = Bytes::new();
        }
        let kept = pending.payload.len();
        pending.progress = Progress::Queued {
            repeat_at: (kept > 0).then(|| now + QUEUED_REPEAT),
        };
        pending.attempts = 1;
        pending.at_deadline = ErrorCode::Expired;
        pending.deadline = now + kept_for + QUEUED_MARGIN;
        if is_news {
            self.bytes -= bytes;
            self.queued_bytes += kept;
        }
        is_news
    }

    /// Forgets the sends that lie in mailboxes: their sender is gone, and asks again if it comes back.
    pub(crate) fn drop_queued(&mut self) -> usize {
        let all = self.streams.values().flat_map(|stream| &stream.pending);
        let queued: Vec<_> = all
            .filter(|pending| pending.is_queued())
            .map(|pending| pending.id)
            .collect();
        queued.into_iter().filter_map(|id| self.finish(id)).count()
    }

    /// Whom these sends go to.
    pub(crate) fn receivers(&self) -> impl Iterator<Item = &PeerKey> {
        self.streams.keys()
    }

    /// The stream in which `id` waits.
    pub(crate) fn stream_of(&mut self, id: u64) -> Option<&mut Stream> {
        let to = self.receivers.get(&id)?;
        self.streams.get_mut(to)
    }

    /// Takes out the send that has got its final word; `None` if it had it before.
    pub(crate) fn finish(&mut self, id: u64) -> Option<Pending> {
        let to = self.receivers.remove(&id)?;
        let stream = self.streams.get_mut(&to)?;
        let index = stream.find(id)?;
        let pending = stream.pending.remove(index)?;
        let bytes = if pending.was_queued {
            &mut self.queued_bytes
        } else {
            &mut self.bytes
        };
        *bytes -= pending.payload.len();
        Some(pending)
    }

    /// Drops a stream in which nothing waits. Its timer ends with it.
    pub(crate) fn drop_if_empty(&mut self, to: &PeerKey) -> bool {
        let is_empty = self
            .streams
            .get(to)
            .is_none_or(|stream| stream.pending.is_empty());
        if is_empty {
            self.streams.remove(to);
        }
        is_empty
    }

    /// Whether nothing waits; streams without sends may still be there.
    pub(crate) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }
}
