//! The receive path: an envelope from another node goes into the send queue of its receiver. Runs on the
//! broker's reader, so nothing here waits.

use bytes::Bytes;
use switchboard_protocol::{AckOutcome, MessageId};
use switchboard_telemetry::Queue;

use super::{
    delivery::{AckTo, Delivery},
    envelope::Checked,
    send_queue::OfferOutcome,
    side::ReceiverSide,
};

impl ReceiverSide {
    /// An envelope arrived on the channel of `to` (`tenant/peer`).
    pub(crate) fn on_message(&self, to: &str, bytes: &Bytes) {
        let cx = &self.cx;
        // Without the peer here, the sender's node repeats the message and finds out where the peer is.
        let Some(receiver) = cx.registry.attached(to) else {
            return;
        };
        let Some(checked) = Checked::read(bytes, receiver.key().tenant(), &cx.telemetry) else {
            return;
        };
        let Checked { envelope, origin, .. } = &checked;
        let ack = match envelope.mid.id {
            MessageId::Client(_) => AckTo::Node(origin.clone()),
            MessageId::Node(_) => AckTo::Nobody,
        };
        let delivery = Delivery::new(
            &cx.telemetry,
            &checked.from,
            envelope.mid,
            envelope.kind,
            checked.payload(),
            ack,
            envelope.trace.as_ref(),
        );
        let now = cx.now();
        receiver.mark_active(cx.second(now));
        let outcome = receiver.offer(delivery, envelope.prev, &cx.limits, now);
        let answer = self.answer_to(outcome);
        if let (Some(outcome), MessageId::Client(id)) = (answer, envelope.mid.id) {
            self.acknowledge(origin, receiver.key(), (envelope.mid.session, id), outcome);
        }
    }

    /// Counts `outcome`; returns what the sender's node must know now.
    fn answer_to(&self, outcome: OfferOutcome) -> Option<AckOutcome> {
        let telemetry = &self.cx.telemetry;
        match outcome {
            OfferOutcome::Queued | OfferOutcome::Closed => None,
            OfferOutcome::AlreadyQueued => {
                telemetry.duplicate_dropped();
                None
            }
            OfferOutcome::AlreadyDone => {
                telemetry.duplicate_dropped();
                Some(AckOutcome::Delivered)
            }
            OfferOutcome::Late => {
                telemetry.duplicate_dropped();
                Some(AckOutcome::Late)
            }
            OfferOutcome::Gap => {
                telemetry.order_gap();
                None
            }
            OfferOutcome::Busy => {
                telemetry.queue_overflow(Queue::SendQueue);
                Some(AckOutcome::Busy)
            }
        }
    }
}
