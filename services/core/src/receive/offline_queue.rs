//! The offline queue of a session that was detached: its messages go to the client before anything newer, and
//! leave the shared record only when they are done. How they are stored is the broker's.

use bytes::Bytes;
use switchboard_protocol::{AckOutcome, MessageId, NodeId, PeerKey, SessionId};

use super::{
    delivery::{AckTo, Delivery},
    envelope::Checked,
    in_flight::StoredBatch,
    send_queue::OfferOutcome,
    side::ReceiverSide,
};
use crate::session::handle::Session;

impl ReceiverSide {
    /// Another node stored a message for `key` although its record says that it is attached here.
    pub(crate) fn on_offline_queue_hint(&self, key: &PeerKey) {
        // While an earlier batch is on its way, its last message reads the queue again.
        let session = self.cx.registry.attached(key.as_str());
        let session = session.filter(|session| !session.has_stored_batch());
        if let (Some(session), Ok(broker)) = (session, self.cx.broker()) {
            broker.read_offline_queue(session.key(), session.id());
        }
    }

    /// The broker has read the offline queue of `to`.
    pub(crate) fn on_offline_queue(&self, to: &PeerKey, session: SessionId, messages: &[Bytes]) {
        let session = self.cx.registry.attached_session(to, session);
        if let Some(session) = session.filter(|session| !session.has_stored_batch()) {
            self.deliver_stored(&session, messages);
        }
    }

    /// Puts messages of the offline queue into `session`'s send queue, oldest first.
    pub(crate) fn deliver_stored(&self, session: &Session, messages: &[Bytes]) {
        if messages.is_empty() {
            return;
        }
        let open = messages
            .iter()
            .filter(|message| self.deliver_one(session, message));
        let batch = StoredBatch {
            open: open.count(),
            messages: messages.len(),
            bytes: messages.iter().map(Bytes::len).sum(),
        };
        if batch.open > 0 {
            session.begin_stored_batch(batch);
        } else {
            self.remove_stored(session, batch);
        }
    }

    /// Returns whether the message is still to be done.
    fn deliver_one(&self, session: &Session, message: &Bytes) -> bool {
        // An unreadable envelope can never be delivered, so it counts as done.
        let Some(checked) = Checked::read(message, session.key().tenant(), &self.cx.telemetry) else {
            return false;
        };
        let Checked { envelope, origin, .. } = &checked;
        let MessageId::Client(id) = envelope.mid.id else {
            return false;
        };
        let ack = self.ack_to(origin);
        let mut delivery = Delivery::new(
            &self.cx.telemetry,
            &checked.from,
            envelope.mid,
            envelope.kind,
            checked.payload(),
            ack.clone(),
            envelope.trace.as_ref(),
        );
        delivery.is_stored = true;
        match session.offer(delivery, None, &self.cx.limits, self.cx.now()) {
            OfferOutcome::Queued => true,
            OfferOutcome::AlreadyDone => {
                self.acknowledge(
                    origin,
                    session.key(),
                    (envelope.mid.session, id),
                    AckOutcome::Delivered,
                );
                false
            }
            OfferOutcome::Late => {
                self.acknowledge(
                    origin,
                    session.key(),
                    (envelope.mid.session, id),
                    AckOutcome::Late,
                );
                false
            }
            OfferOutcome::AlreadyQueued => session.mark_stored(envelope.mid, ack),
            // It stays in the offline queue, and the next claim finds it.
            OfferOutcome::Gap | OfferOutcome::Busy | OfferOutcome::Closed => true,
        }
    }

    /// All messages of `batch` have reached the client.
    pub(super) fn remove_stored(&self, session: &Session, batch: StoredBatch) {
        self.cx.telemetry.stored_delivered(batch.messages);
        if let Ok(broker) = self.cx.broker() {
            broker.remove_stored(session.key(), session.id(), batch.messages, batch.bytes);
            // Messages that came in the meantime had to wait.
            broker.read_offline_queue(session.key(), session.id());
        }
    }

    /// Where the acknowledgement of a message from `origin` goes.
    fn ack_to(&self, origin: &NodeId) -> AckTo {
        if *origin == self.cx.node {
            AckTo::Local
        } else {
            AckTo::Node(origin.clone())
        }
    }
}
