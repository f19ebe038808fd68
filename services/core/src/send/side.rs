//! The sender side of a node: takes sends, and keeps one timer for each stream. What the timer does is in
//! `retry`, what the broker reports in `reports`.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use switchboard_protocol::{Envelope, ErrorCode, MessageId, MessageKind, Mid, PeerKey, SendOutcome};
use switchboard_telemetry::{MessageSpan, Path, Queue};

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
    /// How long it may wait for a receiver without a session; `None`: not at all. Only with a [`MessageId::Client`].
    pub hold: Option<Duration>,
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
                if let Some((at, to, number)) = self.send_numbered(&**sender, id, request, &span) {
                    self.arm(at, sender, to, number);
                }
            }
            MessageId::Node(_) => self.send_unnumbered(&**sender, request, &span),
        }
    }

    /// Starts the timers of all streams of `sender`, whose outbox comes from an earlier connection.
    pub(crate) fn arm_streams<S: Sender + 'static>(&self, sender: &Arc<S>) {
        for (to, number) in sender.outbox().streams() {
            self.arm(self.cx.now() + FIRST_RETRY_DELAY, sender, to, number);
        }
    }

    /// When the next timer runs.
    #[cfg(test)]
    pub(crate) fn next_run(&self) -> Option<Instant> {
        self.schedule.first()
    }

    fn arm<S: Sender + 'static>(&self, at: Instant, sender: &Arc<S>, to: PeerKey, number: u64) {
        let sender: Weak<S> = Arc::downgrade(sender);
        self.schedule.arm(at, StreamRef { sender, to, number });
    }

    /// If its stream is new, returns when the stream's timer must run, and its number.
    fn send_numbered(
        &self,
        sender: &dyn Sender,
        id: u64,
        request: SendRequest,
        span: &MessageSpan,
    ) -> Option<(Instant, PeerKey, u64)> {
        let cx = &*self.cx;
        let now = cx.now();
        sender.mark_active(cx.second(now));
        let SendRequest {
            to,
            kind,
            payload,
            hold,
            ..
        } = request;
        let mut slot = sender.outbox().lock();
        if slot.as_ref().is_some_and(|outbox| outbox.has(id)) {
            // The client repeats it after a reconnect, and it is still under way from here.
            return None;
        }
        let account = sender.account();
        let Ok(charge) = account
            .map(|account| account.charge_pending(payload.len()))
            .transpose()
        else {
            let outcome = SendOutcome::Error(ErrorCode::RateLimited);
            cx.telemetry.send_ended(kind, Path::Remote, outcome);
            sender.on_outcome(id, outcome);
            return None;
        };
        let pending = Pending::new(id, kind, payload, span.context(), charge, now, &cx.limits).held_for(hold);
        let outbox = slot.get_or_insert_default();
        let (stream, index, new_stream) = outbox.admit(&to, pending);
        cx.telemetry.pending_sends(1);
        if !stream.is_held
            && let TransmitOutcome::Done(outcome) = transmit(cx, sender, &to, stream, index, now)
        {
            outcome::report(cx, sender, outbox.finish(id), outcome);
        }
        new_stream.map(|number| (now + FIRST_RETRY_DELAY, to, number))
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
