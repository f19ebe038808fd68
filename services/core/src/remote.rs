//! What the bus and the other nodes report, and what follows from it. Runs on the bus's reader: nothing
//! here waits.

use std::time::Instant;

use bytes::Bytes;
use switchboard_protocol::{
    Ack, AckOutcome, CloseCode, Envelope, ErrorCode, Event, InboxMessage, MessageId, Mid, NodeId, PeerKey,
};
use switchboard_telemetry::{Final, Queue};

use crate::{AckTo, BrokerError, BrokerEvents, Presence, Router, mailbox::Accept};

impl BrokerEvents for Router {
    fn heard(&self, to: &str, bytes: Bytes) {
        let envelope = match Envelope::decode(&bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%error, bytes = bytes.len(), "an envelope that this node cannot read");
                return;
            }
        };
        // Not here (any more): the sender's node repeats it and finds out where the peer is.
        let Some(receiver) = self.registry.peer(to) else {
            return;
        };
        let (Ok(from), Ok(origin)) = (PeerKey::parse(envelope.from), NodeId::new(envelope.origin)) else {
            tracing::warn!("an envelope with a malformed sender or origin");
            return;
        };
        if from.tenant() != receiver.key().tenant() {
            tracing::error!("an envelope from another tenant was dropped");
            return;
        }
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
        let accept = receiver.offer(forward, envelope.prev, &self.limits, Instant::now());
        let answer = match accept {
            Accept::Queued | Accept::Closed => None,
            Accept::AlreadyQueued => {
                self.telemetry.duplicate_dropped();
                None
            }
            Accept::AlreadyWritten => {
                self.telemetry.duplicate_dropped();
                Some(AckOutcome::Delivered)
            }
            Accept::Gap => {
                self.telemetry.gap_seen();
                None
            }
            Accept::Busy => {
                self.telemetry.queue_overflow(Queue::Mailbox);
                Some(AckOutcome::Busy)
            }
        };
        if let (Some(outcome), MessageId::Client(id)) = (answer, envelope.mid.id) {
            self.acknowledge(&origin, envelope.mid.session, id, outcome);
        }
    }

    fn inbox(&self, message: Bytes) {
        match InboxMessage::decode(&message) {
            Ok(InboxMessage::Acks(acks)) => acks.into_iter().for_each(|ack| self.acked(ack)),
            Ok(InboxMessage::Takeover {
                key,
                session,
                fence: _,
            }) => {
                if let Some(peer) = self
                    .registry
                    .peer(key.as_str())
                    .filter(|peer| peer.session() == session)
                {
                    peer.close(CloseCode::Replaced);
                }
            }
            Err(error) => {
                tracing::warn!(%error, bytes = message.len(), "an inbox message this node cannot read")
            }
        }
    }

    fn published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>) {
        let failed = match outcome {
            // Nobody heard it: that may be a peer between two subscriptions, so the record is asked.
            Ok(0) => self.locate(mid, to).is_err(),
            Ok(_) => false,
            Err(_) => true,
        };
        if failed {
            self.bus_failed(mid);
        }
    }

    fn located(&self, mid: Mid, to: &PeerKey, outcome: Result<Presence, BrokerError>) {
        match outcome {
            Ok(Presence::Offline) if self.registry.peer(to.as_str()).is_none() => match mid.id {
                MessageId::Client(id) => self.finish(mid.session, id, Final::Error(ErrorCode::PeerOffline)),
                MessageId::Node(_) => self.tell_unnumbered(mid, ErrorCode::PeerOffline),
            },
            // It is somewhere: the stream's timer repeats the send.
            Ok(Presence::Offline | Presence::Attached { .. }) | Err(BrokerError::Unsettled) => {}
            Err(
                BrokerError::Unavailable
                | BrokerError::QueueFull
                | BrokerError::Refused
                | BrokerError::Superseded,
            ) => self.bus_failed(mid),
        }
    }
}

impl Router {
    fn acked(&self, ack: Ack) {
        match ack.outcome {
            AckOutcome::Delivered => self.finish(ack.session, ack.id, Final::Delivered),
            AckOutcome::Busy => self.hold(ack.session, ack.id, ErrorCode::QueueFull),
        }
    }

    fn bus_failed(&self, mid: Mid) {
        match mid.id {
            MessageId::Client(id) => self.hold(mid.session, id, ErrorCode::BusUnavailable),
            MessageId::Node(_) => self.tell_unnumbered(mid, ErrorCode::BusUnavailable),
        }
    }

    /// Holds a send and those behind it until their stream's timer looks again.
    fn hold(&self, session: switchboard_protocol::SessionId, id: u64, at_deadline: ErrorCode) {
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
            sender.tell(Event::error(None, code));
        }
    }
}
