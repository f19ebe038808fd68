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

/// How long a transmitted send waits before it is repeated; three times longer after each repeat.
pub(crate) const FIRST_RETRY: Duration = Duration::from_millis(150);

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
}

/// How far a pending send has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not handed on, or refused; waits for its stream's timer.
    Held,
    /// Handed on; repeated at this time unless its final word comes first.
    Sent {
        /// When to repeat it.
        repeat_at: Instant,
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
        }
    }

    /// Notes that it was handed on by `path`.
    pub(crate) fn sent(&mut self, path: Path, now: Instant) {
        let wait = FIRST_RETRY * 3_u32.saturating_pow(self.attempts.min(6));
        self.attempts += 1;
        self.path = path;
        self.at_deadline = ErrorCode::Timeout;
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
        index
            .checked_sub(1)
            .and_then(|before| self.pending.get(before))
            .map(|pending| pending.id)
    }

    fn find(&self, id: u64) -> Option<usize> {
        // Final words come mostly in order: the front is nearly always it.
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
}

impl Outbox {
    /// Whether another send must wait until final words free room.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.receivers.len() >= limits.pending_messages
            || self.bytes >= limits.pending_bytes
            || self.streams.len() >= limits.streams_per_session
    }

    /// Adds a send at the end of its stream. Says whether the stream is new and wants a timer.
    pub(crate) fn admit(&mut self, to: &PeerKey, pending: Pending) -> (&mut Stream, bool) {
        self.bytes += pending.payload.len();
        self.receivers.insert(pending.id, to.clone());
        let is_new = !self.streams.contains_key(to);
        let stream = self.streams.entry_ref(to).or_default();
        stream.pending.push_back(pending);
        (stream, is_new)
    }

    pub(crate) fn stream(&mut self, to: &PeerKey) -> Option<&mut Stream> {
        self.streams.get_mut(to)
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
        self.bytes -= pending.payload.len();
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

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.receivers.len()
    }
}
