//! The send queue of one connection: messages that wait for the socket, bounded in number and bytes, and the
//! node's own events. Not the socket: its task takes from here when it can write.
//!
//! The node's own events (receipts, errors, answers) do not count against the bound. Each answers one command
//! of this very client, and the node stops reading from it while too many of its sends or answers wait, or too many
//! bytes of answers.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use switchboard_protocol::{CloseCode, MessageId, Mid};

use super::{
    delivery::{AckTo, Delivery, Outgoing},
    duplicate_filter::{DedupVerdict, DuplicateFilter},
    in_flight::{InFlight, StoredBatch, Undelivered},
    shared_event::SharedEvent,
};
use crate::{
    limits::Limits,
    session::snapshot::{SessionSnapshot, Unacked},
};

/// Bytes of answers that wait for one socket before the node stops reading from its client. Sized for the receipts of
/// a full outbox.
const MAX_ANSWER_BYTES: usize = 128 * 1024;

/// Bytes of answers above which a client hears no news of its rooms. Below [`MAX_ANSWER_BYTES`]: others do not keep
/// the node from reading from it.
const MAX_NEWS_BYTES: usize = MAX_ANSWER_BYTES / 2;

/// An idle queue keeps no more room than this many entries.
const IDLE_CAPACITY: usize = 8;

/// The outcome of offering a message to a send queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferOutcome {
    /// It waits for the socket.
    Queued,
    /// It was already waiting.
    AlreadyQueued,
    /// It was done before.
    AlreadyDone,
    /// A later one was accepted and this one never was.
    Late,
    /// One before it is missing.
    Gap,
    /// No room.
    Busy,
    /// The connection is closing.
    Closed,
}

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    waiting: VecDeque<Outgoing>,
    in_flight: VecDeque<InFlight>,
    filter: DuplicateFilter,
    /// Messages that were accepted and are not done: waiting or in flight.
    messages: usize,
    /// Their payload bytes.
    bytes: usize,
    /// Bytes of the waiting answers.
    answer_bytes: usize,
    last_seq: u64,
    /// Boxed: most sessions never have one.
    stored: Option<Box<StoredBatch>>,
    closing: Option<CloseCode>,
    closed: bool,
    waker: Option<Waker>,
}

impl SendQueue {
    /// Offers a message; on `Queued` the caller wakes the returned waker.
    pub(crate) fn offer(
        &mut self,
        delivery: Delivery,
        prev: Option<u64>,
        limits: &Limits,
        now: Instant,
    ) -> (OfferOutcome, Option<Waker>) {
        if self.closed || self.closing.is_some() {
            return (OfferOutcome::Closed, None);
        }
        if let MessageId::Client(id) = delivery.mid.id {
            let sender = delivery.mid.session;
            let verdict = self
                .filter
                .classify((sender, &delivery.from), id, prev, limits, now);
            match verdict {
                DedupVerdict::Accept => {}
                DedupVerdict::AlreadyQueued => return (OfferOutcome::AlreadyQueued, None),
                DedupVerdict::AlreadyDone => return (OfferOutcome::AlreadyDone, None),
                DedupVerdict::Late => return (OfferOutcome::Late, None),
                DedupVerdict::Gap => return (OfferOutcome::Gap, None),
                DedupVerdict::TooManySenders => return (OfferOutcome::Busy, None),
            }
        }
        // The offline queue has a bound of its own.
        if !delivery.is_stored && self.is_full(delivery.payload.len(), limits) {
            return (OfferOutcome::Busy, None);
        }
        if let MessageId::Client(id) = delivery.mid.id {
            self.filter
                .accept(delivery.mid.session, Some(&delivery.from), id, now);
        }
        self.messages += 1;
        self.bytes += delivery.payload.len();
        self.waiting.push_back(Outgoing::Delivery(Box::new(delivery)));
        (OfferOutcome::Queued, self.waker.take())
    }

    /// Offers one message to a room; `None` if it does not fit.
    pub(crate) fn offer_of_room(&mut self, delivery: Delivery, limits: &Limits) -> Option<Option<Waker>> {
        if self.closed || self.closing.is_some() {
            return Some(None);
        }
        if self.is_full(delivery.payload.len(), limits) {
            return None;
        }
        self.messages += 1;
        self.bytes += delivery.payload.len();
        self.waiting.push_back(Outgoing::Delivery(Box::new(delivery)));
        Some(self.waker.take())
    }

    /// Whether the client has room for news of its rooms.
    pub(crate) fn has_room_for_news(&self, limits: &Limits) -> bool {
        self.answer_bytes < MAX_NEWS_BYTES && !self.is_full(0, limits)
    }

    /// Offers one event that others get too; `None` if it does not fit.
    pub(crate) fn offer_news(&mut self, event: Arc<SharedEvent>) -> Option<Option<Waker>> {
        let fits = self.answer_bytes < MAX_NEWS_BYTES;
        fits.then(|| self.push(Outgoing::News(event)))
    }

    /// An empty send queue takes a message of any size: the frame limit bounds it already.
    fn is_full(&self, more_bytes: usize, limits: &Limits) -> bool {
        self.messages >= limits.send_queue_messages
            || (self.messages > 0 && self.bytes + more_bytes > limits.send_queue_bytes)
    }

    /// Adds an event of the node itself.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> Option<Waker> {
        if self.closed {
            return None;
        }
        self.answer_bytes += outgoing.answer_bytes();
        self.waiting.push_back(outgoing);
        self.waker.take()
    }

    /// Accepts nothing more; what waits is still written, then the close. The first code stands.
    pub(crate) fn close(&mut self, code: CloseCode) -> Option<Waker> {
        self.closing.get_or_insert(code);
        self.waker.take()
    }

    /// The waker of the connection's task, if it waits for the next entry.
    pub(crate) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// Closes, and gives up what waits without writing it: the node has no memory for it. Returns the messages that
    /// go back to their senders.
    pub(crate) fn shed(&mut self) -> (Vec<(Mid, AckTo)>, Option<Waker>) {
        self.closing.get_or_insert(CloseCode::TooSlow);
        let mut undone = Vec::new();
        for outgoing in std::mem::take(&mut self.waiting) {
            if let Outgoing::Delivery(delivery) = outgoing {
                self.messages -= 1;
                self.bytes -= delivery.payload.len();
                undone.push((delivery.mid, delivery.ack));
            }
        }
        (undone, self.waker.take())
    }

    /// The connection is gone: accepts nothing more and returns the messages that are not done.
    pub(crate) fn abandon(&mut self) -> Undelivered {
        self.closed = true;
        let (waiting, in_flight) = (
            std::mem::take(&mut self.waiting),
            std::mem::take(&mut self.in_flight),
        );
        let tail = in_flight.iter().filter_map(|sent| match sent.mid.id {
            MessageId::Client(id) if !sent.is_of_room => Some(Unacked {
                seq: sent.seq,
                sender: sent.mid.session,
                id,
            }),
            MessageId::Client(_) | MessageId::Node(_) => None,
        });
        let mut snapshot = SessionSnapshot {
            last_seq: self.last_seq,
            tail: tail.collect(),
            accepted: self.filter.take_done(),
        };
        snapshot.shorten();
        let is_of_room = |outgoing: &&Outgoing| match outgoing {
            Outgoing::Delivery(delivery) => delivery.room.is_some(),
            Outgoing::Delivered(_) | Outgoing::Event(_) | Outgoing::News(_) | Outgoing::Close(_) => false,
        };
        let lost_room_messages = waiting.iter().filter(is_of_room).count()
            + in_flight.iter().filter(|sent| sent.is_of_room).count();
        let waiting = waiting.into_iter().filter_map(|outgoing| match outgoing {
            Outgoing::Delivery(delivery) => Some((delivery.mid, delivery.ack)),
            Outgoing::Delivered(_) | Outgoing::Event(_) | Outgoing::News(_) | Outgoing::Close(_) => None,
        });
        let undone = in_flight
            .into_iter()
            .map(|sent| (sent.mid, sent.ack))
            .chain(waiting);
        Undelivered {
            snapshot,
            undone: undone.collect(),
            lost_room_messages,
        }
    }

    /// Continues where an earlier connection of the session ended; its client has seen everything up to `seen`.
    pub(crate) fn restore(&mut self, snapshot: SessionSnapshot, seen: u64, now: Instant) {
        self.last_seq = snapshot.last_seq.max(seen);
        self.filter.restore(snapshot, seen, now);
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        if let Some(mut outgoing) = self.waiting.pop_front() {
            self.answer_bytes -= outgoing.answer_bytes();
            if let Outgoing::Delivery(delivery) = &mut outgoing {
                self.last_seq += 1;
                delivery.seq = self.last_seq;
                self.in_flight.push_back(InFlight {
                    seq: delivery.seq,
                    mid: delivery.mid,
                    ack: delivery.ack.clone(),
                    bytes: delivery.payload.len(),
                    is_stored: delivery.is_stored,
                    is_of_room: delivery.room.is_some(),
                });
            }
            if self.waiting.is_empty() && self.waiting.capacity() > IDLE_CAPACITY {
                self.waiting = VecDeque::new();
            }
            return Poll::Ready(outgoing);
        }
        if let Some(code) = self.closing {
            return Poll::Ready(Outgoing::Close(code));
        }
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        if !self.waker.as_ref().is_some_and(is_known) {
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Completes the oldest message in flight, if it is among those up to `seq`.
    pub(crate) fn take_done(&mut self, seq: u64) -> Option<InFlight> {
        self.in_flight.front().filter(|sent| sent.seq <= seq)?;
        let sent = self.in_flight.pop_front()?;
        self.messages -= 1;
        self.bytes -= sent.bytes;
        if let MessageId::Client(id) = sent.mid.id
            && !sent.is_of_room
        {
            self.filter.complete(sent.mid.session, id);
        }
        if self.in_flight.is_empty() {
            // Its entries are large, and most sessions are idle most of the time.
            self.in_flight = VecDeque::new();
        }
        Some(sent)
    }

    /// Takes the oldest message in flight, if it is `seq`: the client refuses it.
    pub(crate) fn take_refused(&mut self, seq: u64) -> Option<InFlight> {
        let is_next = self.in_flight.front().is_some_and(|sent| sent.seq == seq);
        let sent = is_next.then(|| self.take_done(seq)).flatten()?;
        if let MessageId::Client(id) = sent.mid.id
            && !sent.is_of_room
        {
            self.filter.refuse(sent.mid.session, id);
        }
        Some(sent)
    }

    /// The oldest message in flight, while there is no room for more.
    pub(crate) fn stuck_at(&self, limits: &Limits) -> Option<u64> {
        let is_full = self.is_full(0, limits) || self.bytes >= limits.send_queue_bytes;
        self.in_flight.front().filter(|_| is_full).map(|sent| sent.seq)
    }

    /// Messages of the offline queue are on their way.
    pub(crate) fn begin_stored_batch(&mut self, batch: StoredBatch) {
        self.stored = Some(Box::new(batch));
    }

    /// Notes message `mid`, which is on its way already, as one of the offline queue: it leaves that queue only
    /// when it is done, and its acknowledgement goes to the node that stored it last. `false` if it was marked
    /// before.
    pub(crate) fn mark_stored(&mut self, mid: Mid, ack: AckTo) -> bool {
        let waiting = self.waiting.iter_mut().find_map(|outgoing| match outgoing {
            Outgoing::Delivery(delivery) if delivery.mid == mid => {
                Some((&mut delivery.is_stored, &mut delivery.ack))
            }
            Outgoing::Delivery(_)
            | Outgoing::Delivered(_)
            | Outgoing::Event(_)
            | Outgoing::News(_)
            | Outgoing::Close(_) => None,
        });
        let mut in_flight = self.in_flight.iter_mut().filter(|sent| sent.mid == mid);
        let found = waiting.or_else(|| in_flight.next().map(|sent| (&mut sent.is_stored, &mut sent.ack)));
        found.is_some_and(|(is_stored, to)| {
            *to = ack;
            !std::mem::replace(is_stored, true)
        })
    }

    /// Whether messages of the offline queue are on their way.
    pub(crate) fn has_stored_batch(&self) -> bool {
        self.stored.is_some()
    }

    /// Counts `sent` off its batch; returns the batch when that was the last one.
    pub(crate) fn complete_stored(&mut self, sent: &InFlight) -> Option<StoredBatch> {
        let batch = self.stored.as_mut().filter(|_| sent.is_stored)?;
        batch.open = batch.open.saturating_sub(1);
        if batch.open > 0 {
            return None;
        }
        self.stored.take().map(|batch| *batch)
    }

    /// Payload bytes that were accepted and are not done.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries for which there is room.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.waiting.capacity()
    }

    /// Entries that wait, of any kind.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the client may ask for more: it reads the answers that it has.
    pub(crate) fn has_room_for_answers(&self, limits: &Limits) -> bool {
        self.waiting.len() < limits.pending_messages && self.answer_bytes < MAX_ANSWER_BYTES
    }
}
