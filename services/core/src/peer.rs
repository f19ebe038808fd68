//! One attached peer as the rest of the node sees it: its name, its mailbox, its pending sends. Not its
//! connection, which only the transport holds.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use parking_lot::Mutex;
use switchboard_protocol::{CloseCode, Event, Mid, PeerKey, SessionId};

use crate::{
    Limits,
    mailbox::{Accept, Forward, Mailbox, Outgoing},
    outbox::Outbox,
};

/// An attached peer. Shared by its connection, the registry and whoever sends to it.
#[derive(Debug)]
pub struct Peer {
    key: PeerKey,
    session: SessionId,
    /// Attaches of this node are numbered in the order in which they began.
    order: u64,
    mailbox: Mutex<Mailbox>,
    /// Boxed and dropped when empty: most peers are idle most of the time.
    pub(crate) outbox: Mutex<Option<Box<Outbox>>>,
}

impl Peer {
    pub(crate) fn new(key: PeerKey, session: SessionId, order: u64) -> Arc<Self> {
        Arc::new(Self {
            key,
            session,
            order,
            mailbox: Mutex::default(),
            outbox: Mutex::default(),
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

    /// Its session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The next thing to write to this peer's socket. Only its connection may poll.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        self.mailbox.lock().poll_next(cx)
    }

    /// Says `event` to this peer.
    pub fn tell(&self, event: Event) {
        self.push(Outgoing::Event(Box::new(event)));
    }

    /// Asks its connection to write what waits and then close with `code`. The first code stands.
    pub fn close(&self, code: CloseCode) {
        let waker = self.mailbox.lock().close(code);
        wake(waker);
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

    pub(crate) fn offer(&self, forward: Forward, prev: Option<u64>, limits: &Limits, now: Instant) -> Accept {
        let (accept, waker) = self.mailbox.lock().offer(forward, prev, limits, now);
        wake(waker);
        accept
    }

    pub(crate) fn written(&self, mid: Mid) {
        self.mailbox.lock().written(mid);
    }

    pub(crate) fn abandon(&self) -> usize {
        self.mailbox.lock().abandon();
        self.outbox.lock().take().map_or(0, |outbox| outbox.len())
    }
}

/// After the lock is released, so that the woken task does not meet it.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
