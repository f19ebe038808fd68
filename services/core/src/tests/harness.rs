//! Two routers joined by hand: every envelope and acknowledgement passes through the test, which may lose, repeat
//! or reorder it. No clock is waited for; moments are arguments.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture, task::noop_waker_ref};
use parking_lot::Mutex;
use switchboard_protocol::{
    ErrorCode, Event, MessageId, MessageKind, Mid, NodeId, PeerId, PeerKey, RoomId, RoomKey, SessionId,
};
use switchboard_telemetry::Telemetry;

use crate::{
    Asker, AttachRequest, Attachment, Broker, BrokerError, BrokerEvents as _, BusState, BusStatus, Claim,
    ClaimOutcome, ClusterLoad, EndedSession, Limits, Located, Outgoing, PeerAccount, PreviousOwner,
    Retention, RevocationChange, RoomJoin, RoomLeave, RoomPage, RoomQuery, Roster, Route, Router,
    SendRequest, Session, StoreOutcome, StoredMessage, TenantUsage, limits::budgets::Budgets,
};

/// What a node asked of the bus.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Publish(Mid, PeerKey, Vec<u8>),
    Locate(Asker, PeerKey),
    Watch(PeerKey),
    Unwatch(PeerKey),
    ToNode(NodeId, Vec<u8>),
    Store(StoredMessage),
    ReadOfflineQueue,
    /// How many, and how many bytes.
    RemoveStored(usize, usize),
    Detach(Option<Retention>),
    Touch(SessionId),
    EndSession,
    LeaveRoom(RoomLeave),
    Revoke(RevocationChange),
}

/// A bus that does nothing by itself.
#[derive(Default)]
pub(super) struct ManualBroker {
    asked: Mutex<Vec<Asked>>,
    /// What the next attach finds.
    pub(super) record: Mutex<Option<ClaimOutcome>>,
    /// What the next attach fails with.
    pub(super) attach_error: Mutex<Option<BrokerError>>,
    /// The claims so far.
    pub(super) claims: Mutex<Vec<Claim>>,
    /// What the next exchange of usage finds, and then what it was given.
    pub(super) usage: Mutex<Option<TenantUsage>>,
    /// What the next end of a session finds.
    pub(super) ended_session: Mutex<Option<EndedSession>>,
    pub(super) is_down: Mutex<bool>,
    /// The next attach completes only when it is polled a second time.
    pub(super) is_slow: Mutex<bool>,
}

impl ManualBroker {
    fn ask(&self, asked: Asked) -> Result<(), BrokerError> {
        if *self.is_down.lock() {
            return Err(BrokerError::Unavailable);
        }
        self.asked.lock().push(asked);
        Ok(())
    }
}

impl Broker for ManualBroker {
    fn attach<'a>(
        &'a self,
        _: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        let (record, error) = (self.record.lock().take(), self.attach_error.lock().take());
        let outcome = match (error, record) {
            (Some(error), _) => Err(error),
            (None, None) if claim.resume => Err(BrokerError::NotResumable),
            (None, None) => Ok(ClaimOutcome::default()),
            (None, Some(record)) => Ok(record),
        };
        self.claims.lock().push(claim);
        let is_slow = std::mem::take(&mut *self.is_slow.lock());
        async move {
            if is_slow {
                futures_util::pending!();
            }
            outcome
        }
        .boxed()
    }
    fn detach(&self, _: &PeerKey, _: SessionId, _: u64, retention: Option<Retention>) {
        let _ = self.ask(Asked::Detach(retention));
    }
    fn store(&self, message: StoredMessage) -> Result<(), BrokerError> {
        self.ask(Asked::Store(message))
    }
    fn touch(&self, _: &PeerKey, session: SessionId) {
        let _ = self.ask(Asked::Touch(session));
    }
    fn read_offline_queue(&self, _: &PeerKey, _: SessionId) {
        let _ = self.ask(Asked::ReadOfflineQueue);
    }
    fn remove_stored(&self, _: &PeerKey, _: SessionId, messages: usize, bytes: usize) {
        let _ = self.ask(Asked::RemoveStored(messages, bytes));
    }
    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Asked::Publish(mid, to.clone(), envelope))
    }
    fn locate(&self, asker: Asker, to: &PeerKey) -> Result<(), BrokerError> {
        self.ask(Asked::Locate(asker, to.clone()))
    }
    fn watch(&self, peer: &PeerKey) -> bool {
        let _ = self.ask(Asked::Watch(peer.clone()));
        false
    }
    fn unwatch(&self, peer: &PeerKey) {
        let _ = self.ask(Asked::Unwatch(peer.clone()));
    }
    fn send_to_node(&self, node: &NodeId, _: Route, message: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Asked::ToNode(node.clone(), message))
    }
    fn join_room(&self, _: RoomJoin) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }
    fn leave_room(&self, leave: RoomLeave) {
        let _ = self.ask(Asked::LeaveRoom(leave));
    }
    fn detach_member(&self, _: &RoomKey, _: &PeerId, _: SessionId) {}
    fn publish_to_room(&self, _: &RoomKey, _: Mid, _: Vec<u8>) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }
    fn forget_room(&self, _: &RoomKey) {}
    fn roster<'a>(&'a self, _: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }
    fn has_member<'a>(&'a self, _: &'a RoomKey, _: &'a PeerId) -> BoxFuture<'a, Result<bool, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }
    fn rooms_of<'a>(&'a self, _: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }
    fn rooms(&self, _: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>> {
        Box::pin(std::future::ready(Err(BrokerError::Unavailable)))
    }
    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        let others = vec![7];
        own.map(|own| ClusterLoad { own, others })
    }
    fn status(&self) -> BusStatus {
        BusStatus {
            state: BusState::Up,
            desired: 0,
            confirmed: 0,
            detail: String::new(),
        }
    }
    fn tenant_usage(&self, own: TenantUsage) -> Option<TenantUsage> {
        self.usage.lock().replace(own)
    }
    fn end_session<'a>(&'a self, _: &'a PeerKey) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>> {
        let ended = self.ended_session.lock().take();
        std::future::ready(self.ask(Asked::EndSession).map(|()| ended)).boxed()
    }
    fn revoke<'a>(&'a self, change: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>> {
        std::future::ready(self.ask(Asked::Revoke(change.clone()))).boxed()
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

/// One node and its bus.
pub(super) struct Node {
    pub(super) router: Arc<Router>,
    pub(super) bus: Arc<ManualBroker>,
}

impl Node {
    pub(super) fn new(name: &str) -> Self {
        Self::with_limits(name, Limits::default())
    }

    pub(super) fn with_limits(name: &str, limits: Limits) -> Self {
        let router = Router::new(NodeId::new(name).unwrap(), limits, Telemetry::new(name));
        let bus = Arc::new(ManualBroker::default());
        router.set_broker(Arc::<ManualBroker>::clone(&bus));
        Self { router, bus }
    }

    pub(super) fn attach(&self, name: &str) -> Attachment {
        self.attach_as(name, AttachRequest::default())
    }

    pub(super) fn attach_as(&self, name: &str, request: AttachRequest) -> Attachment {
        self.try_attach(name, request).unwrap()
    }

    pub(super) fn try_attach(&self, name: &str, request: AttachRequest) -> Result<Attachment, BrokerError> {
        self.router
            .attach(&key(name), request)
            .now_or_never()
            .expect("the manual broker answers at once")
    }

    pub(super) fn send(&self, from: &Attachment, to: &str, id: u64, payload: &'static str) {
        self.router.send(from.session(), offer(to, id, payload));
    }

    /// Runs the timer of the stream from `sender` to `to`, at the moment `after` from now.
    pub(super) fn retry(&self, sender: &Attachment, to: &str, after: Duration) -> Option<Instant> {
        self.retry_at(sender, to, Instant::now() + after)
    }

    pub(super) fn retry_at(&self, sender: &Attachment, to: &str, now: Instant) -> Option<Instant> {
        let sender = &**sender.session();
        self.router.sender_side().retry_stream(sender, &key(to), now)
    }

    /// Moves the node's clock.
    pub(super) fn pass(&self, time: Duration) {
        self.router.context().clock.advance(time);
    }

    /// The next attach displaces `previous`.
    pub(super) fn finds_owner(&self, previous: PreviousOwner) {
        *self.bus.record.lock() = Some(ClaimOutcome {
            previous: Some(previous),
            ..ClaimOutcome::default()
        });
    }

    /// What this node asked of its bus since the last call.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.bus.asked.lock())
    }

    /// The one publish that this node asked of its bus since the last call.
    pub(super) fn published(&self) -> (Mid, PeerKey) {
        match &self.asked()[..] {
            [Asked::Publish(mid, to, _)] => (*mid, to.clone()),
            other => panic!("not one publish: {other:?}"),
        }
    }

    /// Carries publishes to `other`, as a bus that counts one subscriber; returns how many.
    pub(super) fn carry_to(&self, other: &Self) -> usize {
        let asked = self.asked();
        let count = asked.len();
        for asked in asked {
            self.carry(asked, other);
        }
        count
    }

    pub(super) fn carry(&self, asked: Asked, other: &Self) {
        match asked {
            Asked::Publish(mid, to, envelope) => {
                other.router.on_message(to.as_str(), envelope.into());
                self.router.on_published(mid, &to, Ok(1));
            }
            Asked::Locate(asker, to) => self.router.on_located(asker, &to, Ok(Located::OFFLINE)),
            Asked::ToNode(node, message) => {
                assert_eq!(&node, other.router.node(), "carried to where it was addressed");
                other.router.on_node_message(message.into());
            }
            Asked::Store(message) => {
                self.router
                    .on_stored(message.mid, &message.to, Ok(StoreOutcome::Offline));
            }
            Asked::RemoveStored(..)
            | Asked::Detach(_)
            | Asked::ReadOfflineQueue
            | Asked::Touch(_)
            | Asked::EndSession
            | Asked::LeaveRoom(_)
            | Asked::Revoke(_)
            | Asked::Watch(_)
            | Asked::Unwatch(_) => {}
        }
    }

    /// Sends the gathered acknowledgements, as the timer would.
    pub(super) fn flush_acks(&self) {
        self.router.receiver_side().flush_acks();
    }

    /// The metric `name` with these labels, as Prometheus would read it.
    pub(super) fn metric(&self, name: &str) -> f64 {
        let text = self.router.telemetry().render().unwrap();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let value = lines.find_map(|line| line.rsplit(' ').next());
        value
            .unwrap_or_else(|| panic!("no metric {name} in {text}"))
            .parse()
            .unwrap()
    }
}

/// A message is in an offline queue for this long, and its receiver is to be woken up.
pub(super) fn queued_for(kept_for: Duration) -> StoreOutcome {
    let wakes = true;
    StoreOutcome::Queued { kept_for, wakes }
}

/// An offer with an id.
pub(super) fn offer(to: &str, id: u64, payload: &'static str) -> SendRequest {
    SendRequest {
        to: key(to),
        kind: MessageKind::Offer,
        payload: Bytes::from_static(payload.as_bytes()),
        id: MessageId::Client(id),
        hold: None,
    }
}

pub(super) fn key(name: &str) -> PeerKey {
    PeerKey::parse(&format!("default/{name}")).unwrap()
}

/// An account of its own for the peer `name`.
pub(super) fn account(name: &str) -> Arc<PeerAccount> {
    account_with(name, Limits::default())
}

pub(super) fn account_with(name: &str, limits: Limits) -> Arc<PeerAccount> {
    let budgets = Budgets::new(&Arc::new(limits), &Telemetry::new("n1"));
    budgets.account(&key(name), Instant::now())
}

/// Takes everything that waits for `of`'s socket, without saying that it was written.
pub(super) fn take(of: &Attachment) -> Vec<Outgoing> {
    let mut cx = Context::from_waker(noop_waker_ref());
    let mut taken = Vec::new();
    while let Poll::Ready(outgoing) = of.session().poll_next(&mut cx) {
        let is_last = matches!(outgoing, Outgoing::Close(_));
        taken.push(outgoing);
        if is_last {
            break;
        }
    }
    taken
}

/// Takes everything that waits for `of`'s socket and says that it was written; returns it as text.
pub(super) fn write(of: &Attachment) -> Vec<String> {
    take(of)
        .iter()
        .map(|outgoing| written(of.session(), of.router(), outgoing))
        .collect()
}

fn written(session: &Session, router: &Router, outgoing: &Outgoing) -> String {
    match outgoing {
        Outgoing::Delivery(delivery) => {
            router.done(session, delivery.seq);
            format!(
                "{} #{} {}",
                delivery.from.peer(),
                delivery.seq,
                String::from_utf8_lossy(&delivery.payload)
            )
        }
        Outgoing::Delivered(id) => format!("{id} delivered"),
        Outgoing::Event(event) => {
            let Event::Error { id, code, .. } = event.as_ref() else {
                return event.to_json();
            };
            format!("{} {code}", id.map_or("-".into(), |id| id.to_string()))
        }
        Outgoing::News(event) => event.event().to_json(),
        Outgoing::Close(code) => format!("close {}", code.code()),
    }
}

pub(super) fn error(id: u64, code: ErrorCode) -> Vec<String> {
    vec![format!("{id} {code}")]
}

/// Counts how often it is woken.
#[derive(Default)]
pub(super) struct CountingWaker(AtomicUsize);

impl CountingWaker {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
