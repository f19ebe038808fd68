//! The outcome of each send: its sender gets it once, in the order of the outcomes. Not where an outcome comes
//! from.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{Ack, AckOutcome, ErrorCode, SendOutcome, SessionId};

use super::{outbox::Outbox, pending::Pending, sender::Sender};
use crate::context::Context;

/// A receiver's node, or this one, acknowledges a message.
pub(crate) fn on_ack(cx: &Context, ack: Ack) {
    match ack.outcome {
        AckOutcome::Delivered => finish(cx, ack.session, ack.id, SendOutcome::Delivered),
        AckOutcome::Busy => hold(cx, ack.session, ack.id, ErrorCode::QueueFull),
        AckOutcome::Late => finish(cx, ack.session, ack.id, SendOutcome::Error(ErrorCode::Timeout)),
    }
}

/// Ends send `id` of `sender`. Only the first outcome counts.
pub(crate) fn finish(cx: &Context, sender: SessionId, id: u64, outcome: SendOutcome) {
    let Some(sender) = cx.registry.sender(sender) else {
        return;
    };
    let mut slot = sender.outbox().lock();
    let pending = slot.as_mut().and_then(|outbox| outbox.finish(id));
    report(cx, &*sender, pending, outcome);
    forget_if_spent(cx, &*sender, slot.as_deref());
}

/// Ends all sends of `sender`: the node has no memory for them. Returns how many.
pub(crate) fn end_all(cx: &Context, sender: &dyn Sender) -> usize {
    let mut slot = sender.outbox().lock();
    let ids = slot.as_ref().map(|outbox| outbox.ids()).unwrap_or_default();
    for id in &ids {
        let pending = slot.as_mut().and_then(|outbox| outbox.finish(*id));
        report(cx, sender, pending, SendOutcome::Error(ErrorCode::RateLimited));
    }
    forget_if_spent(cx, sender, slot.as_deref());
    ids.len()
}

/// Tells `sender`. Its outbox is still locked, so outcomes leave in order.
pub(crate) fn report(cx: &Context, sender: &dyn Sender, pending: Option<Pending>, outcome: SendOutcome) {
    let Some(pending) = pending else { return };
    let outcome = match outcome {
        SendOutcome::Error(ErrorCode::PeerOffline | ErrorCode::QueueFull) if pending.was_queued => {
            SendOutcome::Error(ErrorCode::Expired)
        }
        SendOutcome::Delivered | SendOutcome::Published | SendOutcome::Error(_) => outcome,
    };
    cx.telemetry.pending_sends(-1);
    cx.telemetry.send_ended(pending.kind, pending.path, outcome);
    if outcome == SendOutcome::Delivered {
        cx.telemetry
            .delivery_seconds(pending.path, pending.accepted_at.elapsed());
    }
    sender.on_outcome(pending.id, outcome);
}

/// The last trace of a sender that is gone ends with its last send.
pub(crate) fn forget_if_spent(cx: &Context, sender: &dyn Sender, outbox: Option<&Outbox>) {
    if sender.is_gone() && outbox.is_none_or(Outbox::is_empty) {
        cx.registry.forget(sender);
    }
}

/// Holds send `id` and those behind it until their stream's timer runs.
pub(crate) fn hold(cx: &Context, sender: SessionId, id: u64, at_deadline: ErrorCode) {
    let Some(sender) = cx.registry.sender(sender) else {
        return;
    };
    let mut slot = sender.outbox().lock();
    if let Some(stream) = slot.as_mut().and_then(|outbox| outbox.stream_of(id)) {
        stream.hold_from(id, at_deadline);
    }
}

/// Send `id` waits in its receiver's offline queue; returns its sender if that is news.
pub(crate) fn mark_queued(
    cx: &Context,
    sender: SessionId,
    id: u64,
    kept_for: Duration,
) -> Option<Arc<dyn Sender>> {
    let sender = cx.registry.sender(sender)?;
    let mut slot = sender.outbox().lock();
    let outbox = slot.as_mut()?;
    if !outbox.mark_queued(id, kept_for, &cx.limits, cx.now()) {
        return None;
    }
    cx.telemetry.message_queued();
    sender.on_queued(id);
    drop(slot);
    Some(sender)
}

/// A send without an id failed.
pub(crate) fn fail_unnumbered(cx: &Context, sender: SessionId, code: ErrorCode) {
    if let Some(sender) = cx.registry.sender(sender) {
        sender.on_failed(code);
    }
}
