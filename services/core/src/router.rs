//! The way of each message: to a peer on this node directly, to any other through the broker; kept until
//! its final word. Not the answers of the bus and of other nodes (`remote`), nor timers (`schedule`).

use std::{
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::{Duration, Instant},
};

use bytes::Bytes;
use switchboard_protocol::SendOutcome;
use switchboard_protocol::{
    AckOutcome, Envelope, ErrorCode, Event, MessageId, MessageKind, Mid, NodeId, PeerKey, SessionId,
};
use switchboard_telemetry::{MessageSpan, Path, Queue, Telemetry};

use crate::{
    AckTo, Broker, BrokerError, BusState, BusStatus, Delivery, Limits, Outgoing, Session,
    acks::Acks,
    outbox::{FIRST_RETRY, Outbox, Pending, Stream},
    registry::Registry,
    schedule::{Schedule, StreamRef},
    send_queue::{InFlight, Mail, OfferOutcome},
};

/// A node's switchboard: every send comes in here and every final word goes out from here.
pub struct Router {
    pub(crate) node: NodeId,
    pub(crate) limits: Arc<Limits>,
    pub(crate) telemetry: Telemetry,
    pub(crate) registry: Registry,
    pub(crate) acks: Acks,
    pub(crate) broker: OnceLock<Arc<dyn Broker>>,
    pub(crate) attaches: AtomicU64,
    pub(crate) schedule: Schedule,
    started_at: Instant,
    /// Moves the clock of a test.
    #[cfg(test)]
    pub(crate) clock_ms: AtomicU64,
}

/// A send of a client, checked by its session.
#[derive(Debug)]
pub struct SendRequest {
    /// The receiver.
    pub to: PeerKey,
    /// What it is.
    pub kind: MessageKind,
    /// The payload: a slice of the received frame.
    pub payload: Bytes,
    /// Names it, and says whether a final word is wanted.
    pub id: MessageId,
}

/// What became of handing a pending send on.
pub(crate) enum TransmitOutcome {
    On,
    NotNow,
    Done(SendOutcome),
}

impl Router {
    /// A router without a broker; [`Router::join`] gives it one before the first peer attaches.
    #[must_use]
    pub fn new(node: NodeId, limits: Limits, telemetry: Telemetry) -> Arc<Self> {
        Arc::new(Self {
            node,
            limits: Arc::new(limits),
            telemetry,
            registry: Registry::new(),
            acks: Acks::default(),
            broker: OnceLock::new(),
            attaches: AtomicU64::new(0),
            schedule: Schedule::default(),
            started_at: Instant::now(),
            #[cfg(test)]
            clock_ms: AtomicU64::new(0),
        })
    }

    /// Connects the router with the other nodes. Only the first call counts.
    pub fn join(&self, broker: Arc<dyn Broker>) {
        let _ = self.broker.set(broker);
    }

    /// Runs the router's timers until the future is dropped.
    pub async fn run(&self) {
        let Some(broker) = self.broker.get() else { return };
        tokio::join!(
            self.acks.run(broker.as_ref(), &self.telemetry),
            self.run_retries()
        );
    }

    /// The bounds this node keeps.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// How the bus between nodes is.
    #[must_use]
    pub fn bus(&self) -> BusStatus {
        self.broker.get().map_or_else(
            || BusStatus {
                state: BusState::Connecting,
                desired: 0,
                confirmed: 0,
                detail: "no broker yet".into(),
            },
            |broker| broker.status(),
        )
    }

    /// The moment it is.
    pub(crate) fn now(&self) -> Instant {
        #[cfg(test)]
        let moved = Duration::from_millis(self.clock_ms.load(std::sync::atomic::Ordering::Relaxed));
        #[cfg(not(test))]
        let moved = Duration::ZERO;
        Instant::now() + moved
    }

    /// Everybody attached at this moment, in no order: first those who neither sent nor got anything for
    /// `quiet_for`, then those who did, and may be in the middle of a negotiation.
    #[must_use]
    pub fn peers(&self, quiet_for: Duration) -> (Vec<Arc<Session>>, Vec<Arc<Session>>) {
        let quiet_s = u32::try_from(quiet_for.as_secs()).unwrap_or(u32::MAX);
        // Peers that never did anything have the second 0.
        let since = self.second(self.now()).saturating_sub(quiet_s);
        let all = self.registry.all().into_iter();
        all.partition(|peer| !peer.was_active_since(since))
    }

    /// Counts what is counted only when somebody looks: it costs a look at every peer.
    pub fn take_stock(&self) {
        let bytes = self
            .registry
            .all()
            .iter()
            .map(|peer| peer.send_queue_bytes())
            .sum();
        self.telemetry.send_queue_bytes(bytes);
    }

    /// The second of this router's own clock, from 1.
    pub(crate) fn second(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.started_at).as_secs();
        u32::try_from(since).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Takes one send of `peer`. Its final word comes through `peer`'s mailbox, sooner or later but surely.
    pub fn send(&self, peer: &Arc<Session>, send: SendRequest) {
        let span = self.telemetry.span_receive(send.kind);
        match send.id {
            MessageId::Client(id) => self.send_numbered(peer, id, send, &span),
            MessageId::Node(_) => self.send_and_forget(peer, send, &span),
        }
    }

    fn send_numbered(&self, peer: &Arc<Session>, id: u64, send: SendRequest, span: &MessageSpan) {
        let now = self.now();
        peer.is_active_at(self.second(now));
        let pending = Pending::new(id, send.kind, send.payload, span.context(), now, &self.limits);
        let mut slot = peer.outbox.lock();
        let outbox = slot.get_or_insert_default();
        if outbox.has(id) {
            // Repeated after a reconnect, and still under way from here.
            return;
        }
        let (stream, index, is_new) = outbox.admit(&send.to, pending);
        self.telemetry.pending_sends(1);
        if !stream.is_held
            && let TransmitOutcome::Done(word) = self.transmit(peer, &send.to, stream, index, now)
        {
            self.finish_locked(peer, outbox.finish(id), word);
        }
        drop(slot);
        if is_new {
            let stream = StreamRef {
                sender: Arc::downgrade(peer),
                to: send.to,
            };
            self.schedule.arm(now + FIRST_RETRY, stream);
        }
    }

    /// Hands the pending send at `index` on, to a peer here or to the bus. Never waits.
    pub(crate) fn transmit(
        &self,
        peer: &Session,
        to: &PeerKey,
        stream: &mut Stream,
        index: usize,
        now: Instant,
    ) -> TransmitOutcome {
        let prev = stream.prev(index);
        let Some(pending) = stream.pending.get_mut(index) else {
            return TransmitOutcome::On;
        };
        if pending.was_sent() {
            self.telemetry.retransmitted(1);
        }
        let mid = Mid {
            session: peer.session(),
            id: MessageId::Client(pending.id),
        };
        if let Some(receiver) = self.registry.peer(to.as_str()) {
            let forward = self.forward(
                peer.key(),
                mid,
                pending.kind,
                pending.payload.clone(),
                AckTo::Local,
                pending.trace.as_ref(),
            );
            receiver.is_active_at(self.second(now));
            match receiver.offer(forward, prev, &self.limits, now) {
                OfferOutcome::Queued | OfferOutcome::AlreadyQueued => pending.sent(Path::Local, now),
                OfferOutcome::AlreadyDone => {
                    pending.path = Path::Local;
                    return TransmitOutcome::Done(SendOutcome::Delivered);
                }
                OfferOutcome::Late => return TransmitOutcome::Done(SendOutcome::Error(ErrorCode::Timeout)),
                OfferOutcome::Busy => {
                    self.telemetry.queue_overflow(Queue::SendQueue);
                    pending.held(ErrorCode::QueueFull);
                    stream.is_held = true;
                    return TransmitOutcome::NotNow;
                }
                // The earlier one goes first when the timer looks; a closing receiver is looked up again.
                OfferOutcome::Gap | OfferOutcome::Closed => {
                    pending.held(ErrorCode::Timeout);
                    stream.is_held = true;
                    return TransmitOutcome::NotNow;
                }
            }
            return TransmitOutcome::On;
        }
        let envelope = self.envelope(peer.key(), mid, prev, pending);
        match self.publish(mid, to, &envelope) {
            Ok(()) => {
                pending.sent(Path::Remote, now);
                TransmitOutcome::On
            }
            Err(_) => {
                pending.held(ErrorCode::BusUnavailable);
                stream.is_held = true;
                TransmitOutcome::NotNow
            }
        }
    }

    pub(crate) fn envelope<'a>(
        &'a self,
        from: &'a PeerKey,
        mid: Mid,
        prev: Option<u64>,
        pending: &'a Pending,
    ) -> Envelope<'a> {
        Envelope {
            kind: pending.kind,
            mid,
            prev,
            trace: pending.trace,
            origin: self.node.as_str(),
            from: from.as_str(),
            payload: text(&pending.payload),
        }
    }

    fn send_and_forget(&self, peer: &Session, send: SendRequest, span: &MessageSpan) {
        let mid = Mid {
            session: peer.session(),
            id: send.id,
        };
        let trace = span.context();
        let Some(receiver) = self.registry.peer(send.to.as_str()) else {
            let payload = text(&send.payload);
            let (origin, from) = (self.node.as_str(), peer.key().as_str());
            let envelope = Envelope {
                kind: send.kind,
                mid,
                prev: None,
                trace,
                origin,
                from,
                payload,
            };
            if self.publish(mid, &send.to, &envelope).is_err() {
                peer.push_event(Event::error(None, ErrorCode::BusUnavailable));
            }
            return;
        };
        let forward = self.forward(
            peer.key(),
            mid,
            send.kind,
            send.payload,
            AckTo::Nobody,
            trace.as_ref(),
        );
        if receiver.offer(forward, None, &self.limits, self.now()) == OfferOutcome::Busy {
            self.telemetry.queue_overflow(Queue::SendQueue);
            peer.push_event(Event::error(None, ErrorCode::QueueFull));
        }
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: &Envelope<'_>) -> Result<(), BrokerError> {
        let _span = envelope
            .trace
            .as_ref()
            .map(|trace| self.telemetry.span_publish(envelope.kind, trace));
        self.broker
            .get()
            .ok_or(BrokerError::Unavailable)?
            .publish(mid, to, envelope.encode())
    }

    pub(crate) fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError> {
        self.broker.get().ok_or(BrokerError::Unavailable)?.locate(mid, to)
    }

    pub(crate) fn forward(
        &self,
        from: &PeerKey,
        mid: Mid,
        kind: MessageKind,
        payload: Bytes,
        ack: AckTo,
        trace: Option<&switchboard_protocol::TraceContext>,
    ) -> Delivery {
        let span = trace.map_or_else(MessageSpan::default, |trace| {
            self.telemetry.span_deliver(kind, trace)
        });
        Delivery {
            kind,
            from: from.clone(),
            mid,
            seq: 0,
            payload,
            ack,
            is_mail: false,
            span,
        }
    }

    /// Everything up to `seq` has reached `peer`: the socket has it or, with `acks=client`, the client says so.
    pub fn done(&self, peer: &Session, seq: u64) {
        while let Some((taken, mail)) = peer.next_done(seq) {
            self.answer(peer, &taken, AckOutcome::Delivered, mail);
        }
    }

    /// The client of `peer` has processed everything before `seq`, and refuses `seq`: it had a later message of
    /// the same sender, on a connection whose node could not hand its state over.
    pub fn refused(&self, peer: &Session, seq: u64) {
        self.done(peer, seq.saturating_sub(1));
        if let Some((taken, mail)) = peer.refused(seq) {
            self.answer(peer, &taken, AckOutcome::Late, mail);
        }
    }

    fn answer(&self, peer: &Session, taken: &InFlight, outcome: AckOutcome, mail: Option<Mail>) {
        if let MessageId::Client(id) = taken.mid.id {
            let session = taken.mid.session;
            match &taken.ack {
                AckTo::Nobody => {}
                AckTo::Local => self.acked(switchboard_protocol::Ack { session, id, outcome }),
                AckTo::Node(node) => self.acknowledge(node, session, id, outcome),
            }
        }
        if let Some(mail) = mail {
            self.remove_stored(peer, mail);
        }
    }

    pub(crate) fn acknowledge(&self, node: &NodeId, session: SessionId, id: u64, outcome: AckOutcome) {
        if let Some(broker) = self.broker.get() {
            let ack = switchboard_protocol::Ack { session, id, outcome };
            self.acks.add(node, ack, broker.as_ref(), &self.telemetry);
        }
    }

    /// The final word on a send; said once, whatever comes later.
    pub(crate) fn finish(&self, session: SessionId, id: u64, word: SendOutcome) {
        let Some(sender) = self.registry.session(session) else {
            return;
        };
        let mut slot = sender.outbox.lock();
        let pending = slot.as_mut().and_then(|outbox| outbox.finish(id));
        self.finish_locked(&sender, pending, word);
        self.forget_if_spent(&sender, slot.as_deref());
    }

    /// The last trace of a session whose connection is gone ends with its last send.
    pub(crate) fn forget_if_spent(&self, sender: &Session, outbox: Option<&Outbox>) {
        if sender.is_gone() && outbox.is_none_or(|outbox| outbox.is_empty()) {
            self.registry.forget(sender);
        }
    }

    /// The outbox is still locked, so that final words leave in the order in which they fell.
    pub(crate) fn finish_locked(&self, sender: &Session, pending: Option<Pending>, word: SendOutcome) {
        let Some(pending) = pending else { return };
        let word = match word {
            SendOutcome::Error(ErrorCode::PeerOffline) if pending.was_queued => {
                SendOutcome::Error(ErrorCode::Expired)
            }
            SendOutcome::Delivered | SendOutcome::Error(_) => word,
        };
        self.telemetry.pending_sends(-1);
        self.telemetry.send_ended(pending.kind, pending.path, word);
        match word {
            SendOutcome::Delivered => {
                self.telemetry
                    .delivery_seconds(pending.path, pending.accepted_at.elapsed());
                sender.push(Outgoing::Delivered(pending.id));
            }
            SendOutcome::Error(code) => sender.push_event(Event::error(Some(pending.id), code)),
        }
    }
}

/// Payloads are slices of text frames that were checked to be UTF-8 when they came in.
pub(crate) fn text(payload: &Bytes) -> &str {
    std::str::from_utf8(payload).unwrap_or("null")
}
