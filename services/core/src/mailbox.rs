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
    Limits,
    inbound::{Inbound, Verdict},
};

/// An idle queue keeps no more room than this many entries.
const IDLE_CAPACITY: usize = 8;

/// A message for one receiver.
#[derive(Debug)]
pub struct Forward {
    /// What it is.
    pub kind: MessageKind,
    /// Who sent it.
    pub from: PeerKey,
    /// Its name.
    pub mid: Mid,
    /// Its number in the receiver's session; given when it is accepted.
    pub seq: u64,
    /// The payload as the sender wrote it.
    pub payload: Bytes,
    /// Who is told once it is written.
    pub ack: AckTo,
    /// Ends when it is written.
    pub span: MessageSpan,
}

/// Who is told that a message was written.
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
    Forward(Box<Forward>),
    /// `receipt: delivered` for the send of that `id`.
    Delivered(u64),
    /// The node's own word.
    Event(Box<Event>),
    /// Nothing more comes; close with this code.
    Close(CloseCode),
}

/// What became of a message offered to a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// It waits for the socket.
    Queued,
    /// It waited already.
    AlreadyQueued,
    /// It was written before.
    AlreadyWritten,
    /// One before it is missing.
    Gap,
    /// No room.
    Busy,
    /// The connection is closing.
    Closed,
}

#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    queue: VecDeque<Outgoing>,
    inbound: Inbound,
    forwards: usize,
    bytes: usize,
    last_seq: u64,
    closing: Option<CloseCode>,
    closed: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    /// Offers a message; on `Queued` the caller wakes the returned waker.
    pub(crate) fn offer(
        &mut self,
        mut forward: Forward,
        prev: Option<u64>,
        limits: &Limits,
        now: Instant,
    ) -> (Accept, Option<Waker>) {
        if self.closed || self.closing.is_some() {
            return (Accept::Closed, None);
        }
        if let MessageId::Client(id) = forward.mid.id {
            let verdict = self
                .inbound
                .judge(forward.mid.session, id, prev, limits.senders_per_receiver, now);
            match verdict {
                Verdict::Accept => {}
                Verdict::AlreadyQueued => return (Accept::AlreadyQueued, None),
                Verdict::AlreadyWritten => return (Accept::AlreadyWritten, None),
                Verdict::Gap => return (Accept::Gap, None),
                Verdict::TooManySenders => return (Accept::Busy, None),
            }
        }
        if self.is_full(forward.payload.len(), limits) {
            return (Accept::Busy, None);
        }
        if let MessageId::Client(id) = forward.mid.id {
            self.inbound.accepted(forward.mid.session, id, now);
        }
        self.last_seq += 1;
        forward.seq = self.last_seq;
        self.forwards += 1;
        self.bytes += forward.payload.len();
        self.queue.push_back(Outgoing::Forward(Box::new(forward)));
        (Accept::Queued, self.waker.take())
    }

    /// An empty mailbox takes a message of any size: the frame limit bounds it already.
    fn is_full(&self, more_bytes: usize, limits: &Limits) -> bool {
        self.forwards >= limits.mailbox_messages
            || (self.forwards > 0 && self.bytes + more_bytes > limits.mailbox_bytes)
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

    /// The connection is gone: what waits is dropped, and its senders' retries will say so.
    pub(crate) fn abandon(&mut self) {
        self.closed = true;
        self.queue = VecDeque::new();
        self.inbound = Inbound::default();
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        if let Some(outgoing) = self.queue.pop_front() {
            if let Outgoing::Forward(forward) = &outgoing {
                self.forwards -= 1;
                self.bytes -= forward.payload.len();
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

    /// A message was written; a repeated copy of it will be acknowledged at once.
    pub(crate) fn written(&mut self, mid: Mid) {
        if let MessageId::Client(id) = mid.id {
            self.inbound.written(mid.session, id);
        }
    }

    /// Entries that wait, whatever they are.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
