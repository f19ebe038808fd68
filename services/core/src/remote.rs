//! What the bus and the other nodes report, and what follows from it. Runs on the bus's reader: nothing
//! here waits.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use switchboard_protocol::SendOutcome;
use switchboard_protocol::{
    Ack, AckOutcome, CloseCode, ErrorCode, Event, MessageId, Mid, NodeMessage, PeerKey, ReceiptStatus,
    SessionId,
};
use switchboard_telemetry::Queue;

use crate::{
    AckTo, BrokerError, BrokerEvents, Presence, Router, Session, StoreOutcome, StoredMessage,
    send_queue::OfferOutcome,
};

impl BrokerEvents for Router {
    fn on_message(&self, to: &str, bytes: Bytes) {
        // Not here (any more): the sender's node repeats it and finds out where the peer is.
        let Some(receiver) = self.registry.peer(to) else {
            return;
        };
        let Some((envelope, from, origin)) = self.read_envelope(&bytes, receiver.key()) else {
            return;
        };
        let ack = match envelope.mid.id {
            MessageId::Client(_) => AckTo::Node(origin.clone()),
            MessageId::Node(_) => AckTo::Nobody,
        };
        let payload = bytes.slice_ref(envelope.payload.as_bytes());
        let forward = self.forward(
            &from,
            envelope.mid,
            envelope.kind,
            payload,
            ack,
            envelope.trace.as_ref(),
        );
        let now = self.now();
        receiver.is_active_at(self.second(now));
        let answer = match receiver.offer(forward, envelope.prev, &self.limits, now) {
            OfferOutcome::Queued | OfferOutcome::Closed => None,
            OfferOutcome::AlreadyQueued => {
                self.telemetry.duplicate_dropped();
                None
            }
            OfferOutcome::AlreadyDone => {
                self.telemetry.duplicate_dropped();
                Some(AckOutcome::Delivered)
            }
            OfferOutcome::Late => {
                self.telemetry.duplicate_dropped();
                Some(AckOutcome::Late)
            }
            OfferOutcome::Gap => {
                self.telemetry.order_gap();
                None
            }
            OfferOutcome::Busy => {
                self.telemetry.queue_overflow(Queue::SendQueue);
                Some(AckOutcome::Busy)
            }
        };
        if let (Some(outcome), MessageId::Client(id)) = (answer, envelope.mid.id) {
            self.acknowledge(&origin, envelope.mid.session, id, outcome);
        }
    }

    fn on_node_message(&self, message: Bytes) {
        match NodeMessage::decode(&message) {
            Ok(NodeMessage::Acks(acks)) => acks.into_iter().for_each(|ack| self.acked(ack)),
            Ok(NodeMessage::Takeover { key, session, fence }) => {
                // A newer claim of the same session on this very node stays.
                let loser = self
                    .held(&key, session)
                    .filter(|peer| peer.fence() < fence || fence == 0);
                if let Some(peer) = loser {
                    peer.close(CloseCode::Replaced);
                }
            }
            Ok(NodeMessage::DetachRequest { key, session }) => {
                if let Some(peer) = self.held(&key, session) {
                    peer.close(CloseCode::Normal);
                }
            }
            Ok(NodeMessage::Probe { key, session }) => {
                if let Some(peer) = self.held(&key, session) {
                    peer.ask();
                }
            }
            Ok(NodeMessage::OfflineQueueHint { key }) => {
                // While earlier letters are on their way, the last of them looks again.
                let peer = self.registry.peer(key.as_str()).filter(|peer| !peer.has_mail());
                if let (Some(peer), Some(broker)) = (peer, self.broker.get()) {
                    broker.read_offline_queue(peer.key(), peer.session());
                }
            }
            Err(error) => {
                tracing::warn!(%error, bytes = message.len(), "an inbox message this node cannot read")
            }
        }
    }

    fn on_published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>) {
        let failed = match outcome {
            // Nobody heard it: that may be a peer between two subscriptions, so the record is asked.
            Ok(0) => match mid.id {
                MessageId::Client(id) => self.leave(mid, id, to).is_err(),
                MessageId::Node(_) => self.locate(mid, to).is_err(),
            },
            Ok(_) => false,
            Err(_) => true,
        };
        if failed {
            self.bus_failed(mid);
        }
    }

    fn on_stored(&self, mid: Mid, to: &PeerKey, outcome: Result<StoreOutcome, BrokerError>) {
        let MessageId::Client(id) = mid.id else { return };
        match outcome {
            Ok(StoreOutcome::Offline) if self.registry.peer(to.as_str()).is_none() => {
                self.finish(mid.session, id, SendOutcome::Error(ErrorCode::PeerOffline));
            }
            // It is somewhere: the stream's timer repeats the send.
            Ok(StoreOutcome::Offline | StoreOutcome::Attached) | Err(BrokerError::Unsettled) => {}
            Ok(StoreOutcome::Queued(kept_for)) => self.queued(mid.session, id, kept_for),
            Ok(StoreOutcome::Delivered) => self.finish(mid.session, id, SendOutcome::Delivered),
            Ok(StoreOutcome::Late) => self.finish(mid.session, id, SendOutcome::Error(ErrorCode::Timeout)),
            Ok(StoreOutcome::Gap) => self.hold(mid.session, id, ErrorCode::Timeout),
            Ok(StoreOutcome::Full) => {
                self.telemetry.queue_overflow(Queue::SendQueue);
                self.hold(mid.session, id, ErrorCode::QueueFull);
            }
            Err(_) => self.bus_failed(mid),
        }
    }

    fn on_offline_queue(&self, to: &PeerKey, session: SessionId, letters: Vec<Bytes>) {
        if let Some(peer) = self.held(to, session).filter(|peer| !peer.has_mail()) {
            self.put_mail(&peer, letters);
        }
    }

    fn on_located(&self, mid: Mid, to: &PeerKey, outcome: Result<Presence, BrokerError>) {
        let code = match outcome {
            Ok(Presence::Offline) if self.registry.peer(to.as_str()).is_none() => ErrorCode::PeerOffline,
            // Without an id it is not kept for a resume; it was sent once, and that is all.
            Ok(Presence::Offline | Presence::Attached { .. } | Presence::Detached)
            | Err(BrokerError::Unsettled) => return,
            Err(_) => ErrorCode::BusUnavailable,
        };
        self.tell_unnumbered(mid, code);
    }
}

impl Router {
    pub(crate) fn acked(&self, ack: Ack) {
        match ack.outcome {
            AckOutcome::Delivered => self.finish(ack.session, ack.id, SendOutcome::Delivered),
            AckOutcome::Busy => self.hold(ack.session, ack.id, ErrorCode::QueueFull),
            AckOutcome::Late => self.finish(ack.session, ack.id, SendOutcome::Error(ErrorCode::Timeout)),
        }
    }

    /// The attached peer at `key`, if it is that session.
    fn held(&self, key: &PeerKey, session: SessionId) -> Option<Arc<Session>> {
        self.registry
            .peer(key.as_str())
            .filter(|peer| peer.session() == session)
    }

    /// Leaves a pending send in its receiver's mailbox.
    fn leave(&self, mid: Mid, id: u64, to: &PeerKey) -> Result<(), BrokerError> {
        let broker = self.broker.get().ok_or(BrokerError::Unavailable)?;
        let Some(sender) = self.registry.session(mid.session) else {
            return Ok(());
        };
        let mut slot = sender.outbox.lock();
        let stream = slot.as_mut().and_then(|outbox| outbox.stream_of(id));
        let Some(stream) = stream else { return Ok(()) };
        let Some((index, _)) = stream.find_mut(id) else {
            return Ok(());
        };
        let prev = stream.prev(index);
        let Some(pending) = stream.pending.get(index).filter(|pending| !pending.is_queued()) else {
            return Ok(());
        };
        let letter = StoredMessage {
            mid,
            id,
            to: to.clone(),
            prev,
            is_urgent: pending.is_urgent(),
            window: self.limits.resume_window,
            envelope: self.envelope(sender.key(), mid, prev, pending).encode(),
        };
        broker.store(letter)
    }

    /// The message waits for its receiver's resume.
    fn queued(&self, session: SessionId, id: u64, kept_for: Duration) {
        let Some(sender) = self.registry.session(session) else {
            return;
        };
        let mut slot = sender.outbox.lock();
        let is_news = slot
            .as_mut()
            .is_some_and(|outbox| outbox.queued(id, kept_for, &self.limits, self.now()));
        if is_news {
            self.telemetry.message_queued();
            sender.push_event(Event::Receipt {
                id,
                status: ReceiptStatus::Queued,
            });
        }
    }

    fn bus_failed(&self, mid: Mid) {
        match mid.id {
            MessageId::Client(id) => self.hold(mid.session, id, ErrorCode::BusUnavailable),
            MessageId::Node(_) => self.tell_unnumbered(mid, ErrorCode::BusUnavailable),
        }
    }

    /// Holds a send and those behind it until their stream's timer looks again.
    pub(crate) fn hold(&self, session: SessionId, id: u64, at_deadline: ErrorCode) {
        let Some(sender) = self.registry.session(session) else {
            return;
        };
        let mut slot = sender.outbox.lock();
        if let Some(stream) = slot.as_mut().and_then(|outbox| outbox.stream_of(id)) {
            stream.hold_from(id, at_deadline);
        }
    }

    fn tell_unnumbered(&self, mid: Mid, code: ErrorCode) {
        if let Some(sender) = self.registry.session(mid.session) {
            sender.push_event(Event::error(None, code));
        }
    }
}
