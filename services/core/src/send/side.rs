//! The sender side of a node: takes sends, and keeps one timer for each stream. What the timer does is in
//! `retry`, what the broker reports in `reports`.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use bytes::Bytes;
use switchboard_protocol::{Envelope, ErrorCode, MessageId, MessageKind, Mid, PeerKey};
use switchboard_telemetry::{MessageSpan, Queue};

use super::{
    outcome,
    pending::{FIRST_RETRY_DELAY, Pending},
    schedule::{Schedule, StreamRef},
    sender::Sender,
    transmit::{TransmitOutcome, publish, text, transmit},
};
use crate::{
    context::Context,
    receive::{
        delivery::{AckTo, Delivery},
        send_queue::OfferOutcome,
    },
};

/// A send that passed the command gate.
#[derive(Debug)]
pub struct SendRequest {
    /// The receiver.
    pub to: PeerKey,
    /// Its kind.
    pub kind: MessageKind,
    /// The payload: a slice of the received frame.
    pub payload: Bytes,
    /// Its id; a [`MessageId::Client`] asks for an outcome.
    pub id: MessageId,
}

pub(crate) struct SenderSide {
    pub(super) cx: Arc<Context>,
    pub(super) schedule: Schedule,
}

impl SenderSide {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self {
            cx,
            schedule: Schedule::default(),
        }
    }

    /// Takes one send. The outcome of a numbered one comes through [`Sender::on_outcome`].
    pub(crate) fn send<S: Sender + 'static>(&self, sender: &Arc<S>, request: SendRequest) {
        let span = self.cx.telemetry.span_receive(request.kind);
        match request.id {
            MessageId::Client(id) => {
                if let Some((at, to)) = self.send_numbered(&**sender, id, request, &span) {
                    self.arm(at, sender, to);
                }
            }
            MessageId::Node(_) => self.send_unnumbered(&**sender, request, &span),
        }
    }

    /// Starts the timers of all streams of `sender`, whose outbox comes from an earlier connection.
    pub(crate) fn arm_streams<S: Sender + 'static>(&self, sender: &Arc<S>) {
        for to in sender.outbox().receivers() {
            self.arm(self.cx.now() + FIRST_RETRY_DELAY, sender, to);
        }
    }

    /// When the next timer runs.
    #[cfg(test)]
    pub(crate) fn next_run(&self) -> Option<Instant> {
        self.schedule.first()
    }

    fn arm<S: Sender + 'static>(&self, at: Instant, sender: &Arc<S>, to: PeerKey) {
        let sender: Weak<S> = Arc::downgrade(sender);
        self.schedule.arm(at, StreamRef { sender, to });
    }

    /// If its stream is new, returns when the stream's timer must run.
    fn send_numbered(
        &self,
        sender: &dyn Sender,
        id: u64,
        request: SendRequest,
        span: &MessageSpan,
    ) -> Option<(Instant, PeerKey)> {
        let cx = &*self.cx;
        let now = cx.now();
        sender.mark_active(cx.second(now));
        let SendRequest {
            to, kind, payload, ..
        } = request;
        let pending = Pending::new(id, kind, payload, span.context(), now, &cx.limits);
        let mut slot = sender.outbox().lock();
        let outbox = slot.get_or_insert_default();
        if outbox.has(id) {
            // The client repeats it after a reconnect, and it is still under way from here.
            return None;
        }
        let (stream, index, is_new) = outbox.admit(&to, pending);
        cx.telemetry.pending_sends(1);
        if !stream.is_held
            && let TransmitOutcome::Done(outcome) = transmit(cx, sender, &to, stream, index, now)
        {
            outcome::report(cx, sender, outbox.finish(id), outcome);
        }
        is_new.then_some((now + FIRST_RETRY_DELAY, to))
    }

    /// Transmitted once: its sender hears of a failure, but of no success.
    fn send_unnumbered(&self, sender: &dyn Sender, request: SendRequest, span: &MessageSpan) {
        let cx = &*self.cx;
        let mid = Mid {
            session: sender.id(),
            id: request.id,
        };
        let trace = span.context();
        let Some(receiver) = cx.registry.attached(request.to.as_str()) else {
            let envelope = Envelope {
                kind: request.kind,
                mid,
                prev: None,
                trace,
                origin: cx.node.as_str(),
                from: sender.key().as_str(),
                payload: text(&request.payload),
            };
            if publish(cx, &request.to, &envelope).is_err() {
                sender.on_failed(ErrorCode::BusUnavailable);
            }
            return;
        };
        let delivery = Delivery::new(
            &cx.telemetry,
            sender.key(),
            mid,
            request.kind,
            request.payload,
            AckTo::Nobody,
            trace.as_ref(),
        );
        if receiver.offer(delivery, None, &cx.limits, cx.now()) == OfferOutcome::Busy {
            cx.telemetry.queue_overflow(Queue::SendQueue);
            sender.on_failed(ErrorCode::QueueFull);
        }
    }
}
