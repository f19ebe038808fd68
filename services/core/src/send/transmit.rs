//! One transmission: to a session on this node directly, to any other peer through the broker. Never waits.

use std::time::Instant;

use bytes::Bytes;
use switchboard_protocol::{Envelope, ErrorCode, MessageId, Mid, PeerKey, SendOutcome};
use switchboard_telemetry::{Path, Queue};

use super::{pending::Pending, sender::Sender, stream::Stream};
use crate::{
    broker::error::BrokerError,
    context::Context,
    receive::{
        delivery::{AckTo, Delivery},
        send_queue::OfferOutcome,
    },
    session::handle::Session,
};

/// What happened to a transmission.
pub(crate) enum TransmitOutcome {
    /// It is under way, or waits in the receiver's queue.
    Transmitted,
    /// It was refused; its stream is held.
    Held,
    /// The send ends.
    Done(SendOutcome),
}

/// Transmits the pending send at `index` of `stream`.
pub(crate) fn transmit(
    cx: &Context,
    sender: &dyn Sender,
    to: &PeerKey,
    stream: &mut Stream,
    index: usize,
    now: Instant,
) -> TransmitOutcome {
    let prev = stream.prev(index);
    let Some(pending) = stream.pending.get_mut(index) else {
        return TransmitOutcome::Transmitted;
    };
    if pending.was_transmitted() {
        cx.telemetry.retransmitted(1);
    }
    let outcome = match cx.registry.attached(to.as_str()) {
        Some(receiver) => offer(cx, sender, &receiver, pending, prev, now),
        None => publish_pending(cx, sender, to, pending, prev, now),
    };
    stream.is_held |= matches!(outcome, TransmitOutcome::Held);
    outcome
}

/// To a receiver on this node.
fn offer(
    cx: &Context,
    sender: &dyn Sender,
    receiver: &Session,
    pending: &mut Pending,
    prev: Option<u64>,
    now: Instant,
) -> TransmitOutcome {
    let delivery = Delivery::new(
        &cx.telemetry,
        sender.key(),
        mid(sender, pending.id),
        pending.kind,
        pending.payload.clone(),
        AckTo::Local,
        pending.trace.as_ref(),
    );
    receiver.mark_active(cx.second(now));
    match receiver.offer(delivery, prev, &cx.limits, now) {
        OfferOutcome::Queued | OfferOutcome::AlreadyQueued => {
            pending.mark_transmitted(Path::Local, now);
            TransmitOutcome::Transmitted
        }
        OfferOutcome::AlreadyDone => {
            pending.path = Path::Local;
            TransmitOutcome::Done(SendOutcome::Delivered)
        }
        OfferOutcome::Late => TransmitOutcome::Done(SendOutcome::Error(ErrorCode::Timeout)),
        OfferOutcome::Busy => {
            cx.telemetry.queue_overflow(Queue::SendQueue);
            pending.wait(ErrorCode::QueueFull);
            TransmitOutcome::Held
        }
        // The timer transmits the missing one first; a closing receiver is looked up again.
        OfferOutcome::Gap | OfferOutcome::Closed => {
            pending.wait(ErrorCode::Timeout);
            TransmitOutcome::Held
        }
    }
}

/// To a receiver that is not on this node.
fn publish_pending(
    cx: &Context,
    sender: &dyn Sender,
    to: &PeerKey,
    pending: &mut Pending,
    prev: Option<u64>,
    now: Instant,
) -> TransmitOutcome {
    let envelope = envelope(cx, sender, prev, pending);
    match publish(cx, to, &envelope) {
        Ok(()) => {
            pending.mark_transmitted(Path::Remote, now);
            TransmitOutcome::Transmitted
        }
        Err(_) => {
            pending.wait(ErrorCode::BusUnavailable);
            TransmitOutcome::Held
        }
    }
}

/// Publishes `envelope` on the channel of `to`.
///
/// # Errors
/// As [`crate::Broker::publish`].
pub(super) fn publish(cx: &Context, to: &PeerKey, envelope: &Envelope<'_>) -> Result<(), BrokerError> {
    let _span = envelope
        .trace
        .as_ref()
        .map(|trace| cx.telemetry.span_publish(envelope.kind, trace));
    cx.broker()?.publish(envelope.mid, to, envelope.encode())
}

/// The envelope of a pending send.
pub(super) fn envelope<'a>(
    cx: &'a Context,
    sender: &'a dyn Sender,
    prev: Option<u64>,
    pending: &'a Pending,
) -> Envelope<'a> {
    Envelope {
        kind: pending.kind,
        mid: mid(sender, pending.id),
        prev,
        trace: pending.trace,
        origin: cx.node.as_str(),
        from: sender.key().as_str(),
        payload: text(&pending.payload),
    }
}

/// Payloads are slices of text frames that were checked to be UTF-8 when they came in.
pub(crate) fn text(payload: &Bytes) -> &str {
    std::str::from_utf8(payload).unwrap_or("null")
}

fn mid(sender: &dyn Sender, id: u64) -> Mid {
    Mid {
        session: sender.id(),
        id: MessageId::Client(id),
    }
}
