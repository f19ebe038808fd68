//! What waits for one receiver's socket: forwarded messages, bounded in number and bytes, and the node's
//! own words to it. Not the socket: whoever owns it takes from here when it can write.
//!
//! The node's own words (receipts, errors, answers) are not counted against the bound: each answers one
//! command of this very client, whose reading stops while too many of its sends or answers wait.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use switchboard_protocol::{CloseCode, Event, MessageId, MessageKind, Mid, NodeId, PeerKey};
use switchboard_telemetry::MessageSpan;

use crate::{
    Limits, SessionSnapshot, Unacked,
    duplicate_filter::{DedupVerdict, DuplicateFilter},
};

/// An idle queue keeps no more room than this many entries.
const IDLE_CAPACITY: usize = 8;

/// A message for one receiver.
#[derive(Debug)]
pub struct Delivery {
    /// What it is.
    pub kind: MessageKind,
    /// Who sent it.
    pub from: PeerKey,
    /// Its name.
    pub mid: Mid,
    /// Its number in the receiver's session; given when it is taken for the socket.
    pub seq: u64,
    /// The payload as the sender wrote it.
    pub payload: Bytes,
    /// Who is told once it is done.
    pub ack: AckTo,
    /// Whether it came out of the mailbox that was kept while the session was detached.
    pub is_mail: bool,
    /// Ends when it is written.
    pub span: MessageSpan,
}

/// Who is told that a message is done: on the socket or, with `acks=client`, acknowledged by the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckTo {
    /// Nobody: fire and forget.
    Nobody,
    /// A session on this node.
    Local,
    /// A session on that node.
    Node(NodeId),
}

/// One thing to write to a client.
#[derive(Debug)]
pub enum Outgoing {
    /// Another peer's message.
    Delivery(Box<Delivery>),
    /// `receipt: delivered` for the send of that `id`.
    Delivered(u64),
    /// The node's own word.
    Event(Box<Event>),
    /// Nothing more comes; close with this code.
    Close(CloseCode),
}

/// What became of a message offered to a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferOutcome {
    /// It waits for the socket.
    Queued,
    /// It waited already.
    AlreadyQueued,
    /// It was done before.
    AlreadyDone,
    /// Later ones were accepted and this one never.
    Late,
    /// One before it is missing.
    Gap,
    /// No room.
    Busy,
    /// The connection is closing.
    Closed,
}

/// A message that was taken for the socket and is not done.
#[derive(Debug)]
pub(crate) struct InFlight {
    seq: u64,
    pub(crate) mid: Mid,
    pub(crate) ack: AckTo,
    bytes: usize,
    is_mail: bool,
}

/// Letters of the kept mailbox under way to the client.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) open: usize,
    pub(crate) letters: usize,
    pub(crate) bytes: usize,
}

/// What a mailbox leaves behind when its connection is gone.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    pub(crate) saved: SessionSnapshot,
    /// Messages that were accepted and are not done; their senders must send them again.
    pub(crate) undone: Vec<(Mid, AckTo)>,
}

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    queue: VecDeque<Outgoing>,
    taken: VecDeque<InFlight>,
    inbound: DuplicateFilter,
    forwards: usize,
    bytes: usize,
    last_seq: u64,
    /// Boxed: most sessions never find any.
    mail: Option<Box<Mail>>,
    closing: Option<CloseCode>,
    closed: bool,
    waker: Option<Waker>,
}

impl SendQueue {
    /// Offers a message; on `Queued` the caller wakes the returned waker.
    pub(crate) fn offer(
        &mut self,
        forward: Delivery,
        prev: Option<u64>,
        limits: &Limits,
        now: Instant,
    ) -> (OfferOutcome, Option<Waker>) {
        if self.closed || self.closing.is_some() {
            return (OfferOutcome::Closed, None);
        }
        if let MessageId::Client(id) = forward.mid.id {
            let verdict = self
                .inbound
                .judge(forward.mid.session, id, prev, limits.senders_per_receiver, now);
            match verdict {
                DedupVerdict::Accept => {}
                DedupVerdict::AlreadyQueued => return (OfferOutcome::AlreadyQueued, None),
                DedupVerdict::AlreadyDone => return (OfferOutcome::AlreadyDone, None),
                DedupVerdict::Late => return (OfferOutcome::Late, None),
                DedupVerdict::Gap => return (OfferOutcome::Gap, None),
                DedupVerdict::TooManySenders => return (OfferOutcome::Busy, None),
            }
        }
        // The kept mailbox has a bound of its own.
        if !forward.is_mail && self.is_full(forward.payload.len(), limits) {
            return (OfferOutcome::Busy, None);
        }
        if let MessageId::Client(id) = forward.mid.id {
            self.inbound.accepted(forward.mid.session, id, now);
        }
        self.forwards += 1;
        self.bytes += forward.payload.len();
        self.queue.push_back(Outgoing::Delivery(Box::new(forward)));
        (OfferOutcome::Queued, self.waker.take())
    }

    /// An empty mailbox takes a message of any size: the frame limit bounds it already.
    fn is_full(&self, more_bytes: usize, limits: &Limits) -> bool {
        self.forwards >= limits.send_queue_messages
            || (self.forwards > 0 && self.bytes + more_bytes > limits.send_queue_bytes)
    }

    /// Adds the node's own word.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> Option<Waker> {
        if self.closed {
            return None;
        }
        self.queue.push_back(outgoing);
        self.waker.take()
    }

    /// Nothing is accepted any more; what waits is still written, then the close.
    pub(crate) fn close(&mut self, code: CloseCode) -> Option<Waker> {
        self.closing.get_or_insert(code);
        self.waker.take()
    }

    /// The waker of whoever waits for the next entry.
    pub(crate) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// The connection is gone: nothing more is accepted, and what is not done is given back.
    pub(crate) fn abandon(&mut self) -> Undelivered {
        self.closed = true;
        let (queue, taken) = (std::mem::take(&mut self.queue), std::mem::take(&mut self.taken));
        let tail = taken.iter().filter_map(|taken| match taken.mid.id {
            MessageId::Client(id) => Some(Unacked {
                seq: taken.seq,
                sender: taken.mid.session,
                id,
            }),
            MessageId::Node(_) => None,
        });
        let saved = SessionSnapshot {
            last_seq: self.last_seq,
            tail: tail.collect(),
            marks: self.inbound.save(),
        };
        let waiting = queue.into_iter().filter_map(|outgoing| match outgoing {
            Outgoing::Delivery(forward) => Some((forward.mid, forward.ack)),
            Outgoing::Delivered(_) | Outgoing::Event(_) | Outgoing::Close(_) => None,
        });
        let undone = taken
            .into_iter()
            .map(|taken| (taken.mid, taken.ack))
            .chain(waiting);
        Undelivered {
            saved,
            undone: undone.collect(),
        }
    }

    /// Goes on where an earlier connection of the session ended; its client has seen everything up to `seen`.
    pub(crate) fn restore(&mut self, saved: SessionSnapshot, seen: u64, now: Instant) {
        self.last_seq = saved.last_seq.max(seen);
        self.inbound.restore(saved, seen, now);
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        if let Some(mut outgoing) = self.queue.pop_front() {
            if let Outgoing::Delivery(forward) = &mut outgoing {
                self.last_seq += 1;
                forward.seq = self.last_seq;
                self.taken.push_back(InFlight {
                    seq: forward.seq,
                    mid: forward.mid,
                    ack: forward.ack.clone(),
                    bytes: forward.payload.len(),
                    is_mail: forward.is_mail,
                });
            }
            if self.queue.is_empty() && self.queue.capacity() > IDLE_CAPACITY {
                self.queue = VecDeque::new();
            }
            return Poll::Ready(outgoing);
        }
        if let Some(code) = self.closing {
            return Poll::Ready(Outgoing::Close(code));
        }
        if !self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The oldest message taken for the socket, if it is among those up to `seq`: it is done now.
    pub(crate) fn next_done(&mut self, seq: u64) -> Option<InFlight> {
        self.taken.front().filter(|taken| taken.seq <= seq)?;
        let taken = self.taken.pop_front()?;
        self.forwards -= 1;
        self.bytes -= taken.bytes;
        if let MessageId::Client(id) = taken.mid.id {
            self.inbound.done(taken.mid.session, id);
        }
        if self.taken.is_empty() {
            // Its entries are large, and most sessions are idle most of the time.
            self.taken = VecDeque::new();
        }
        Some(taken)
    }

    /// The oldest message taken for the socket, if it is `seq`: the client refuses it.
    pub(crate) fn refused(&mut self, seq: u64) -> Option<InFlight> {
        let is_next = self.taken.front().is_some_and(|taken| taken.seq == seq);
        let taken = is_next.then(|| self.next_done(seq)).flatten()?;
        if let MessageId::Client(id) = taken.mid.id {
            self.inbound.refused(taken.mid.session, id);
        }
        Some(taken)
    }

    /// The oldest message that was taken and is not done, while there is no room for more.
    pub(crate) fn stuck_at(&self, limits: &Limits) -> Option<u64> {
        let is_full = self.is_full(0, limits) || self.bytes >= limits.send_queue_bytes;
        self.taken.front().filter(|_| is_full).map(|taken| taken.seq)
    }

    /// The number of the newest message taken for the socket.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// So many letters of the kept mailbox, `bytes` in all, are on their way; `open` of them are not done.
    pub(crate) fn mail_begins(&mut self, letters: usize, bytes: usize, open: usize) {
        self.mail = Some(Box::new(Mail { open, letters, bytes }));
    }

    /// A letter of a message that is on its way already: it leaves the kept mailbox only when that is done, and
    /// whoever left it last is told. False if an earlier letter of the same message said so before.
    pub(crate) fn is_letter(&mut self, mid: Mid, ack: AckTo) -> bool {
        let queued = self.queue.iter_mut().find_map(|outgoing| match outgoing {
            Outgoing::Delivery(forward) if forward.mid == mid => {
                Some((&mut forward.is_mail, &mut forward.ack))
            }
            Outgoing::Delivery(_) | Outgoing::Delivered(_) | Outgoing::Event(_) | Outgoing::Close(_) => None,
        });
        let mut taken = self.taken.iter_mut().filter(|taken| taken.mid == mid);
        let found = queued.or_else(|| taken.next().map(|taken| (&mut taken.is_mail, &mut taken.ack)));
        found.is_some_and(|(is_mail, to)| {
            *to = ack;
            !std::mem::replace(is_mail, true)
        })
    }

    /// Whether letters are still on their way.
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.is_some()
    }

    /// A letter is done; the whole mail, when it was the last one.
    pub(crate) fn letter_done(&mut self, taken: &InFlight) -> Option<Mail> {
        let mail = self.mail.as_mut().filter(|_| taken.is_mail)?;
        mail.open = mail.open.saturating_sub(1);
        if mail.open > 0 {
            return None;
        }
        self.mail.take().map(|mail| *mail)
    }

    /// Payload bytes that were accepted and are not done.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries that wait, whatever they are.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
