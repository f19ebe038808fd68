//! One session on this node as the rest of the node sees it: its names, its send queue, its outbox. Not its
//! connection, which only the transport has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use parking_lot::Mutex;
use switchboard_protocol::{
    CloseCode, ErrorCode, Event, Mid, PeerKey, ReceiptStatus, SendOutcome, SessionId,
};

use super::snapshot::SessionSnapshot;
use crate::{
    limits::{Limits, PeerAccount},
    receive::{
        delivery::{AckTo, Delivery, Outgoing},
        in_flight::{InFlight, StoredBatch, Undelivered},
        send_queue::{OfferOutcome, SendQueue},
        shared_event::SharedEvent,
    },
    revocations::TokenFingerprint,
    send::{outbox::OutboxSlot, sender::Sender},
};

/// When a client may send again whose send was refused because a budget is used up.
const BUDGET_RETRY_AFTER_MS: u64 = 1_000;

/// A session attached to this node, or one whose connection is gone and whose last sends are under way. Its
/// connection, the registry and its senders share it.
#[derive(Debug)]
pub struct Session {
    key: PeerKey,
    id: SessionId,
    /// Attaches of this node are numbered in the order in which they began.
    order: u64,
    /// The claim's fence; 0 while the claim is not confirmed.
    fence: AtomicU64,
    /// When it attached, in seconds of the node's clock.
    since_s: u32,
    /// What its peer has of this node.
    account: Arc<PeerAccount>,
    token_fingerprint: TokenFingerprint,
    /// When it was last asked to move, likewise; 0: never.
    asked_s: AtomicU32,
    /// When it last sent or got a message, likewise; 0: never.
    active_s: AtomicU32,
    send_queue: Mutex<SendQueue>,
    outbox: OutboxSlot,
    is_gone: AtomicBool,
    /// Messages of rooms were lost when its connection was.
    has_lost_room_messages: AtomicBool,
    has_probe: AtomicBool,
}

impl Session {
    pub(crate) fn new(
        key: PeerKey,
        id: SessionId,
        order: u64,
        fence: u64,
        since_s: u32,
        account: Arc<PeerAccount>,
    ) -> Arc<Self> {
        Arc::new(Self {
            key,
            id,
            order,
            fence: AtomicU64::new(fence),
            since_s,
            account,
            token_fingerprint: TokenFingerprint::default(),
            asked_s: AtomicU32::new(0),
            active_s: AtomicU32::new(0),
            send_queue: Mutex::default(),
            outbox: OutboxSlot::default(),
            is_gone: AtomicBool::new(false),
            has_lost_room_messages: AtomicBool::new(false),
            has_probe: AtomicBool::new(false),
        })
    }

    /// Its address.
    #[must_use]
    pub fn key(&self) -> &PeerKey {
        &self.key
    }

    /// What its peer has of this node, over all its sessions.
    #[must_use]
    pub fn account(&self) -> &Arc<PeerAccount> {
        &self.account
    }

    /// Of the token of its connection.
    pub(crate) fn token_fingerprint(&self) -> &TokenFingerprint {
        &self.token_fingerprint
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whether it began to attach after `other`.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.order > other.order
    }

    /// Its number among the attaches of this node, which began in this order.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// When it attached, in seconds of the node's clock.
    pub(crate) fn since_s(&self) -> u32 {
        self.since_s
    }

    /// When it was last asked to move, likewise; 0: never.
    pub(crate) fn asked_s(&self) -> u32 {
        self.asked_s.load(Ordering::Relaxed)
    }

    /// Notes that it is asked to move at this second of the node's clock.
    pub(crate) fn mark_asked(&self, second: u32) {
        self.asked_s.store(second, Ordering::Relaxed);
    }

    /// Its claim's fence; 0 while the claim is not confirmed.
    pub(crate) fn fence(&self) -> u64 {
        self.fence.load(Ordering::Relaxed)
    }

    /// The next thing to write to this session's socket. Only its connection may poll.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        self.send_queue.lock().poll_next(cx)
    }

    /// The oldest message that its client has not acknowledged, while its send queue is full.
    #[must_use]
    pub fn stuck_at(&self, limits: &Limits) -> Option<u64> {
        self.send_queue.lock().stuck_at(limits)
    }

    pub(crate) fn send_queue_bytes(&self) -> usize {
        self.send_queue.lock().bytes()
    }

    /// Sends `event` to this client.
    pub fn push_event(&self, event: Event) {
        self.push(Outgoing::Event(Box::new(event)));
    }

    /// Asks its connection to write what waits and then close with `code`. The first code stands.
    pub fn close(&self, code: CloseCode) {
        let waker = self.send_queue.lock().close(code);
        wake(waker);
    }

    /// Closes its connection without writing what waits; returns the messages that go back to their senders.
    pub(crate) fn shed(&self) -> Vec<(Mid, AckTo)> {
        let (undone, waker) = self.send_queue.lock().shed();
        wake(waker);
        undone
    }

    /// Asks its connection to find out whether the client is alive.
    pub(crate) fn probe(&self) {
        self.has_probe.store(true, Ordering::Release);
        let waker = self.send_queue.lock().take_waker();
        wake(waker);
    }

    /// Whether another node wants to know if the client is alive. Its connection answers with
    /// [`Session::clear_probe`], then a ping.
    #[must_use]
    pub fn has_probe(&self) -> bool {
        self.has_probe.load(Ordering::Acquire)
    }

    /// Takes the question of [`Session::has_probe`] back. The ping must follow, not precede: a question that
    /// comes in between is answered by it.
    pub fn clear_probe(&self) {
        self.has_probe.store(false, Ordering::Release);
    }

    /// Notes that it sends or gets a message at this second of the node's clock.
    pub(crate) fn mark_active(&self, second: u32) {
        self.active_s.store(second, Ordering::Relaxed);
    }

    /// Whether it has sent or got a message after that second.
    pub(crate) fn was_active_since(&self, second: u32) -> bool {
        self.active_s.load(Ordering::Relaxed) > second
    }

    /// Whether its connection may read on: its sends and answers do not pile up.
    #[must_use]
    pub fn may_send_more(&self, limits: &Limits) -> bool {
        !self.outbox.is_full(limits) && self.has_room_for_answers(limits)
    }

    /// Whether its client reads the answers that it gets.
    #[must_use]
    pub fn has_room_for_answers(&self, limits: &Limits) -> bool {
        self.send_queue.lock().has_room_for_answers(limits)
    }

    fn push(&self, outgoing: Outgoing) {
        let waker = self.send_queue.lock().push(outgoing);
        wake(waker);
    }

    pub(crate) fn offer(
        &self,
        delivery: Delivery,
        prev: Option<u64>,
        limits: &Limits,
        now: Instant,
    ) -> OfferOutcome {
        let (outcome, waker) = self.send_queue.lock().offer(delivery, prev, limits, now);
        wake(waker);
        outcome
    }

    /// Completes the oldest message in flight up to `seq`; with it comes the batch that it completes.
    pub(crate) fn take_done(&self, seq: u64) -> Option<(InFlight, Option<StoredBatch>)> {
        let mut queue = self.send_queue.lock();
        let sent = queue.take_done(seq)?;
        let batch = queue.complete_stored(&sent);
        Some((sent, batch))
    }

    /// The same for the one message `seq` that the client refuses; those before it are done.
    pub(crate) fn take_refused(&self, seq: u64) -> Option<(InFlight, Option<StoredBatch>)> {
        let mut queue = self.send_queue.lock();
        let sent = queue.take_refused(seq)?;
        let batch = queue.complete_stored(&sent);
        Some((sent, batch))
    }

    /// Messages of the offline queue were put into the send queue.
    pub(crate) fn begin_stored_batch(&self, batch: StoredBatch) {
        self.send_queue.lock().begin_stored_batch(batch);
    }

    /// See [`SendQueue::mark_stored`].
    pub(crate) fn mark_stored(&self, mid: Mid, ack: AckTo) -> bool {
        self.send_queue.lock().mark_stored(mid, ack)
    }

    pub(crate) fn has_stored_batch(&self) -> bool {
        self.send_queue.lock().has_stored_batch()
    }

    pub(crate) fn restore(&self, snapshot: SessionSnapshot, seen: u64, now: Instant) {
        self.send_queue.lock().restore(snapshot, seen, now);
    }

    /// Takes over the sends of an earlier connection of this session.
    pub(crate) fn inherit_outbox(&self, earlier: &Self) {
        *self.outbox.lock() = earlier.outbox.lock().take();
    }

    /// Delivers nothing through this connection any more; returns what it has not done.
    pub(crate) fn abandon(&self) -> Undelivered {
        self.is_gone.store(true, Ordering::Release);
        let undelivered = self.send_queue.lock().abandon();
        if undelivered.lost_room_messages > 0 {
            self.has_lost_room_messages.store(true, Ordering::Relaxed);
        }
        undelivered
    }

    /// Whether messages of rooms did not reach its client before its connection was gone.
    pub(crate) fn has_lost_room_messages(&self) -> bool {
        self.has_lost_room_messages.load(Ordering::Relaxed)
    }

    /// Offers one message to a room that it is in; `false` if there is no room for it.
    pub(crate) fn offer_of_room(&self, delivery: Delivery, limits: &Limits) -> bool {
        let offered = self.send_queue.lock().offer_of_room(delivery, limits);
        offered.map(wake).is_some()
    }

    /// Offers an event that others get too; `false` if there is no room for it.
    pub(crate) fn push_news(&self, event: Arc<SharedEvent>) -> bool {
        let offered = self.send_queue.lock().offer_news(event);
        offered.map(wake).is_some()
    }

    /// Whether it has room for news of its rooms.
    pub(crate) fn has_room_for_news(&self, limits: &Limits) -> bool {
        self.send_queue.lock().has_room_for_news(limits)
    }
}

impl Sender for Session {
    fn id(&self) -> SessionId {
        self.id
    }

    fn key(&self) -> &PeerKey {
        &self.key
    }

    fn outbox(&self) -> &OutboxSlot {
        &self.outbox
    }

    fn account(&self) -> Option<&Arc<PeerAccount>> {
        Some(&self.account)
    }

    fn on_outcome(&self, id: u64, outcome: SendOutcome) {
        match outcome {
            SendOutcome::Delivered => self.push(Outgoing::Delivered(id)),
            SendOutcome::Published => self.push_event(Event::Receipt {
                id,
                status: ReceiptStatus::Published,
            }),
            SendOutcome::Error(code @ ErrorCode::RateLimited) => self.push_event(Event::Error {
                id: Some(id),
                code,
                message:
                    "the budget of this peer, its tenant or the node is used up; wait for `retry_after_ms`"
                        .into(),
                retry_after_ms: Some(BUDGET_RETRY_AFTER_MS),
            }),
            SendOutcome::Error(code) => self.push_event(Event::error(Some(id), code)),
        }
    }

    fn on_queued(&self, id: u64) {
        let status = ReceiptStatus::Queued;
        self.push_event(Event::Receipt { id, status });
    }

    fn on_failed(&self, code: ErrorCode) {
        self.push_event(Event::error(None, code));
    }

    fn mark_active(&self, second: u32) {
        Self::mark_active(self, second);
    }

    /// Its connection is gone; its last sends may still be under way.
    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

/// After the lock is released, so the woken task does not wait for it.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
