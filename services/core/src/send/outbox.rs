//! The sends of one sender without an outcome, in one stream for each receiver. Plain state: no timers and no
//! transmission.

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard};
use switchboard_protocol::PeerKey;

use super::{pending::Pending, stream::Stream};
use crate::limits::Limits;

/// A sender's outbox. Boxed and dropped when empty: most senders are idle most of the time.
#[derive(Debug, Default)]
pub struct OutboxSlot(Mutex<Option<Box<Outbox>>>);

impl OutboxSlot {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Box<Outbox>>> {
        self.0.lock()
    }

    /// Whether another send must wait until outcomes free room.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.lock().as_ref().is_some_and(|outbox| outbox.is_full(limits))
    }

    /// The payload bytes of these sends.
    pub(crate) fn bytes(&self) -> usize {
        let slot = self.lock();
        slot.as_ref()
            .map_or(0, |outbox| outbox.bytes + outbox.queued_bytes)
    }

    /// Whether the stream to `to` is the one of that number.
    pub(crate) fn has_stream(&self, to: &PeerKey, number: u64) -> bool {
        let slot = self.lock();
        let stream = slot.as_ref().and_then(|outbox| outbox.streams.get(to));
        stream.is_some_and(|stream| stream.number == number)
    }

    /// The receivers of these sends, each with the number of its stream.
    pub(crate) fn streams(&self) -> Vec<(PeerKey, u64)> {
        let slot = self.lock();
        let streams = slot.iter().flat_map(|outbox| &outbox.streams);
        streams.map(|(to, stream)| (to.clone(), stream.number)).collect()
    }
}

/// All pending sends of one sender.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    streams: HashMap<PeerKey, Stream>,
    receivers: HashMap<u64, PeerKey>,
    bytes: usize,
    /// Sends that are, or were, in offline queues.
    queued_messages: usize,
    /// Their payload bytes.
    queued_bytes: usize,
}

/// Streams without a send that wait for their timers to be dropped, above which they are dropped at once.
const MAX_EMPTY_STREAMS: usize = 1024;

impl Outbox {
    /// Only sends that end at their own deadline count: reading must go on within it. Sends in offline queues wait
    /// much longer, and the peer's budget bounds them.
    fn is_full(&self, limits: &Limits) -> bool {
        self.receivers.len() - self.queued_messages >= limits.pending_messages
            || self.bytes >= limits.pending_bytes
    }

    /// Adds a send to its stream: where, and the stream's number if it is new and needs a timer.
    pub(crate) fn admit(&mut self, to: &PeerKey, pending: Pending) -> (&mut Stream, usize, Option<u64>) {
        if self.streams.len() >= self.receivers.len() + MAX_EMPTY_STREAMS {
            self.streams.retain(|_, stream| !stream.pending.is_empty());
        }
        self.bytes += pending.payload.len();
        self.receivers.insert(pending.id, to.clone());
        let number = (!self.streams.contains_key(to)).then_some(pending.id);
        let stream = self.streams.entry_ref(to).or_default();
        stream.number = number.unwrap_or(stream.number);
        let index = stream.insert(pending);
        (stream, index, number)
    }

    pub(crate) fn stream(&mut self, to: &PeerKey) -> Option<&mut Stream> {
        self.streams.get_mut(to)
    }

    /// The stream in which `id` waits.
    pub(crate) fn stream_of(&mut self, id: u64) -> Option<&mut Stream> {
        let to = self.receivers.get(&id)?;
        self.streams.get_mut(to)
    }

    /// Whether `id` waits for its outcome.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.receivers.contains_key(&id)
    }

    /// Send `id` is in its receiver's offline queue for at most `kept_for`. `false` if it was there before.
    ///
    /// Its payload stays here too, while there is room for such payloads. So the message survives the loss of the
    /// offline queue, and of the acknowledgement. These bytes do not count with the others, or absent receivers
    /// would hold up sends to present ones.
    pub(crate) fn mark_queued(&mut self, id: u64, kept_for: Duration, limits: &Limits, now: Instant) -> bool {
        let room = limits.pending_bytes.saturating_sub(self.queued_bytes);
        let pending = self.stream_of(id).and_then(|stream| stream.get_mut(id));
        let Some((bytes, kept)) = pending.and_then(|pending| pending.mark_queued(kept_for, room, now)) else {
            return false;
        };
        self.bytes -= bytes;
        self.queued_messages += 1;
        self.queued_bytes += kept;
        true
    }

    /// Drops the sends that are in offline queues: their sender is gone, and repeats them if it comes back.
    /// Returns how many.
    pub(crate) fn drop_queued(&mut self) -> usize {
        let all = self.streams.values().flat_map(|stream| &stream.pending);
        let queued: Vec<_> = all
            .filter(|pending| pending.is_queued())
            .map(|pending| pending.id)
            .collect();
        queued.into_iter().filter_map(|id| self.finish(id)).count()
    }

    /// The ids of all sends, in order.
    pub(crate) fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<_> = self.receivers.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Takes out the send whose outcome is known; `None` if it was known before.
    pub(crate) fn finish(&mut self, id: u64) -> Option<Pending> {
        let to = self.receivers.remove(&id)?;
        let stream = self.streams.get_mut(&to)?;
        let index = stream.find(id)?;
        let pending = stream.pending.remove(index)?;
        let bytes = pending.payload.len();
        if pending.was_queued {
            self.queued_messages -= 1;
            self.queued_bytes -= bytes;
        } else {
            self.bytes -= bytes;
        }
        Some(pending)
    }

    /// Drops the stream if nothing waits in it; its timer ends with it. Returns whether it is gone.
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
