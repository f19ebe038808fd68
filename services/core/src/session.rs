//! One session on this node as the rest of the node sees it: its name, its mailbox, its pending sends. Not
//! its connection, which only the transport holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use parking_lot::Mutex;
use switchboard_protocol::{CloseCode, Event, Mid, PeerKey, SessionId};

use crate::{
    AckTo, Limits, SessionSnapshot,
    outbox::Outbox,
    send_queue::{Delivery, InFlight, Mail, OfferOutcome, Outgoing, SendQueue, Undelivered},
};

/// A session attached to this node, or one that left and whose last sends are under way. Shared by its
/// connection, the registry and whoever sends to it.
#[derive(Debug)]
pub struct Session {
    key: PeerKey,
    session: SessionId,
    /// Attaches of this node are numbered in the order in which they began.
    order: u64,
    /// The claim's fence; 0 while it is not confirmed.
    fence: AtomicU64,
    /// When it attached, in seconds of the router's clock.
    since_s: u32,
    /// When it was last asked to move, likewise; 0: never.
    asked_s: AtomicU32,
    mailbox: Mutex<SendQueue>,
    /// Boxed and dropped when empty: most peers are idle most of the time.
    pub(crate) outbox: Mutex<Option<Box<Outbox>>>,
    is_gone: AtomicBool,
    is_asked: AtomicBool,
    /// When it last sent or got a message, in seconds of the router's clock.
    active_s: AtomicU32,
}

impl Session {
    pub(crate) fn new(key: PeerKey, session: SessionId, order: u64, fence: u64, since_s: u32) -> Arc<Self> {
        Arc::new(Self {
            key,
            session,
            order,
            fence: AtomicU64::new(fence),
            since_s,
            asked_s: AtomicU32::new(0),
            mailbox: Mutex::default(),
            outbox: Mutex::default(),
            is_gone: AtomicBool::new(false),
            is_asked: AtomicBool::new(false),
            active_s: AtomicU32::new(0),
        })
    }

    /// Its address.
    #[must_use]
    pub fn key(&self) -> &PeerKey {
        &self.key
    }

    /// Whether it began to attach after `other`.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.order > other.order
    }

    /// Whether it is this very attachment of the session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.order == other.order
    }

    /// Its number among the attaches of this node, which began in this order.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// When it attached, in seconds of the router's clock.
    pub(crate) fn since_s(&self) -> u32 {
        self.since_s
    }

    /// When it was last asked to move, likewise; 0: never.
    pub(crate) fn asked_s(&self) -> u32 {
        self.asked_s.load(Ordering::Relaxed)
    }

    /// It is asked to move at this second of the router's clock.
    pub(crate) fn was_asked_to_move(&self, second: u32) {
        self.asked_s.store(second, Ordering::Relaxed);
    }

    /// Its session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Its claim's fence; 0 while the claim is not confirmed.
    pub(crate) fn fence(&self) -> u64 {
        self.fence.load(Ordering::Relaxed)
    }

    /// The next thing to write to this peer's socket. Only its connection may poll.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        self.mailbox.lock().poll_next(cx)
    }

    /// The number of the newest message that was taken for the socket.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.mailbox.lock().last_seq()
    }

    /// The oldest message that its client has not acknowledged, while its queue is full.
    #[must_use]
    pub fn stuck_at(&self, limits: &Limits) -> Option<u64> {
        self.mailbox.lock().stuck_at(limits)
    }

    pub(crate) fn send_queue_bytes(&self) -> usize {
        self.mailbox.lock().bytes()
    }

    /// Says `event` to this peer.
    pub fn push_event(&self, event: Event) {
        self.push(Outgoing::Event(Box::new(event)));
    }

    /// Asks its connection to write what waits and then close with `code`. The first code stands.
    pub fn close(&self, code: CloseCode) {
        let waker = self.mailbox.lock().close(code);
        wake(waker);
    }

    /// Asks its connection to find out whether the client still lives.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Release);
        let waker = self.mailbox.lock().take_waker();
        wake(waker);
    }

    /// It sends or gets a message at this second of the router's clock.
    pub(crate) fn is_active_at(&self, second: u32) {
        self.active_s.store(second, Ordering::Relaxed);
    }

    /// Whether it has sent or got a message since that second.
    pub(crate) fn was_active_since(&self, second: u32) -> bool {
        self.active_s.load(Ordering::Relaxed) > second
    }

    /// Whether somebody wants to know if the client still lives; says so once for each question.
    #[must_use]
    pub fn take_question(&self) -> bool {
        // A plain load first: this is looked at in every turn of the connection.
        self.is_asked.load(Ordering::Acquire) && self.is_asked.swap(false, Ordering::AcqRel)
    }

    /// Whether its connection should read on: neither its sends nor its answers pile up.
    #[must_use]
    pub fn may_send_more(&self, limits: &Limits) -> bool {
        if self
            .outbox
            .lock()
            .as_ref()
            .is_some_and(|outbox| outbox.is_full(limits))
        {
            return false;
        }
        self.mailbox.lock().len() < limits.pending_messages
    }

    pub(crate) fn push(&self, outgoing: Outgoing) {
        let waker = self.mailbox.lock().push(outgoing);
        wake(waker);
    }

    pub(crate) fn offer(
        &self,
        forward: Delivery,
        prev: Option<u64>,
        limits: &Limits,
        now: Instant,
    ) -> OfferOutcome {
        let (accept, waker) = self.mailbox.lock().offer(forward, prev, limits, now);
        wake(waker);
        accept
    }

    /// The oldest message among those up to `seq` that was not done yet, and the mail that it completes.
    pub(crate) fn next_done(&self, seq: u64) -> Option<(InFlight, Option<Mail>)> {
        let mut mailbox = self.mailbox.lock();
        let taken = mailbox.next_done(seq)?;
        let mail = mailbox.letter_done(&taken);
        Some((taken, mail))
    }

    /// The same for the one message `seq` that the client refuses; those before it are done.
    pub(crate) fn refused(&self, seq: u64) -> Option<(InFlight, Option<Mail>)> {
        let mut mailbox = self.mailbox.lock();
        let taken = mailbox.refused(seq)?;
        let mail = mailbox.letter_done(&taken);
        Some((taken, mail))
    }

    /// Letters of the kept mailbox were put into the queue; `open` of them are not done.
    pub(crate) fn mail_begins(&self, letters: usize, bytes: usize, open: usize) {
        self.mailbox.lock().mail_begins(letters, bytes, open);
    }

    pub(crate) fn is_letter(&self, mid: Mid, ack: AckTo) -> bool {
        self.mailbox.lock().is_letter(mid, ack)
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.mailbox.lock().has_mail()
    }

    pub(crate) fn restore(&self, saved: SessionSnapshot, seen: u64, now: Instant) {
        self.mailbox.lock().restore(saved, seen, now);
    }

    /// Nothing is delivered through this connection any more; what is left of it.
    pub(crate) fn abandon(&self) -> Undelivered {
        self.is_gone.store(true, Ordering::Release);
        self.mailbox.lock().abandon()
    }

    /// Whether its connection is gone; its last sends may still be under way.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

/// After the lock is released, so that the woken task does not meet it.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
