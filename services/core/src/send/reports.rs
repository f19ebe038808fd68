//! What the broker reports on this node's sends, and what follows. Runs on the broker's reader, so nothing here
//! waits.

use std::time::Duration;

use switchboard_protocol::{ErrorCode, MessageId, Mid, PeerKey, SendOutcome, SessionId};
use switchboard_telemetry::{Budget, BudgetScope, Queue};

use super::{outcome, side::SenderSide, transmit::envelope};
use crate::{
    broker::{
        error::BrokerError,
        presence::{Asker, Located, Presence},
        stored_message::{Hold, StoreOutcome, StoredMessage},
    },
    observer::NodeEvent,
};

impl SenderSide {
    /// A publish was carried out.
    pub(crate) fn on_published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>) {
        let failed = match outcome {
            // No subscriber: that may be a peer between two subscriptions, so the record decides.
            Ok(0) => match mid.id {
                MessageId::Client(id) => self.store(mid, id, to).is_err(),
                MessageId::Node(_) => self.locate(mid, to).is_err(),
            },
            Ok(_) => false,
            Err(_) => true,
        };
        if failed {
            self.bus_failed(mid);
        }
    }

    /// The offline queue took a message, or not.
    pub(crate) fn on_stored(&self, mid: Mid, to: &PeerKey, outcome: Result<StoreOutcome, BrokerError>) {
        let MessageId::Client(id) = mid.id else { return };
        let (cx, sender) = (&*self.cx, mid.session);
        if outcome.is_ok_and(|outcome| !matches!(outcome, StoreOutcome::Queued { .. })) {
            self.refund_stored(sender, id);
        }
        match outcome {
            Ok(StoreOutcome::Offline) if cx.registry.attached(to.as_str()).is_none() => {
                outcome::finish(cx, sender, id, SendOutcome::Error(ErrorCode::PeerOffline));
            }
            // The receiver is attached somewhere: the stream's timer repeats the send.
            Ok(StoreOutcome::Offline | StoreOutcome::Attached) | Err(BrokerError::Unsettled) => {}
            Ok(StoreOutcome::Queued { kept_for, wakes }) => self.queued(mid, id, to, kept_for, wakes),
            Ok(StoreOutcome::Delivered) => outcome::finish(cx, sender, id, SendOutcome::Delivered),
            Ok(StoreOutcome::Late) => {
                outcome::finish(cx, sender, id, SendOutcome::Error(ErrorCode::Timeout));
            }
            Ok(StoreOutcome::Gap) => outcome::hold(cx, sender, id, ErrorCode::Timeout),
            Ok(StoreOutcome::Full) => {
                cx.telemetry.queue_overflow(Queue::OfflineQueue);
                outcome::hold(cx, sender, id, ErrorCode::QueueFull);
            }
            Ok(StoreOutcome::TenantFull) => {
                cx.telemetry.budget_refused(Budget::Held, BudgetScope::Tenant);
                outcome::finish(cx, sender, id, SendOutcome::Error(ErrorCode::QueueFull));
            }
            Err(_) => self.bus_failed(mid),
        }
    }

    /// The record says where the receiver of an unnumbered message is.
    pub(crate) fn on_located(&self, mid: Mid, to: &PeerKey, outcome: Result<Located, BrokerError>) {
        let code = match outcome.map(|located| located.presence) {
            Ok(Presence::Offline | Presence::Orphaned)
                if self.cx.registry.attached(to.as_str()).is_none() =>
            {
                ErrorCode::PeerOffline
            }
            // Without an id it is not kept for a resume: it was transmitted once, and that is all.
            Ok(Presence::Offline | Presence::Orphaned | Presence::Attached { .. } | Presence::Detached)
            | Err(BrokerError::Unsettled) => return,
            Err(_) => ErrorCode::BusUnavailable,
        };
        outcome::fail_unnumbered(&self.cx, mid.session, code);
    }

    fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError> {
        self.cx.broker()?.locate(Asker::Send(mid), to)
    }

    /// Puts a pending send into its receiver's offline queue, unless that is over a budget: then the send ends.
    fn store(&self, mid: Mid, id: u64, to: &PeerKey) -> Result<(), BrokerError> {
        let cx = &*self.cx;
        let broker = cx.broker()?;
        let Some(sender) = cx.registry.sender(mid.session) else {
            return Ok(());
        };
        let mut slot = sender.outbox().lock();
        let Some(outbox) = slot.as_mut() else {
            return Ok(());
        };
        let Some(stream) = outbox.stream_of(id) else {
            return Ok(());
        };
        let Some(index) = stream.find(id) else {
            return Ok(());
        };
        let prev = stream.prev(index);
        let pending = stream.pending.get_mut(index);
        let Some(pending) = pending.filter(|pending| !pending.is_queued()) else {
            return Ok(());
        };
        let message = StoredMessage {
            mid,
            id,
            from: sender.key().clone(),
            to: to.clone(),
            prev,
            is_urgent: pending.is_urgent(),
            window: cx.limits.resume_window,
            hold: pending.hold(cx.now()).map(|time| Hold {
                time,
                tenant_bytes: sender
                    .account()
                    .map_or(cx.limits.tenant_held_bytes, |account| account.max_held_bytes()),
            }),
            is_first: !pending.was_queued,
            envelope: envelope(cx, &*sender, prev, pending).encode(),
        };
        if !pending.charge_stored(sender.account(), message.envelope.len(), cx.now()) {
            let outcome = SendOutcome::Error(ErrorCode::RateLimited);
            outcome::report(cx, &*sender, outbox.finish(id), outcome);
            outcome::forget_if_spent(cx, &*sender, slot.as_deref());
            return Ok(());
        }
        broker
            .store(message)
            .inspect_err(|_| pending.refund_stored(sender.account()))
    }

    /// Send `id` is in no offline queue: what was charged for it is returned.
    fn refund_stored(&self, sender: SessionId, id: u64) {
        let Some(sender) = self.cx.registry.sender(sender) else {
            return;
        };
        let mut slot = sender.outbox().lock();
        let stream = slot.as_mut().and_then(|outbox| outbox.stream_of(id));
        if let Some(pending) = stream.and_then(|stream| stream.get_mut(id)) {
            pending.refund_stored(sender.account());
        }
    }

    /// The message waits for its receiver.
    fn queued(&self, mid: Mid, id: u64, to: &PeerKey, kept_for: Duration, wakes: bool) {
        let cx = &*self.cx;
        let Some(sender) = outcome::mark_queued(cx, mid.session, id, kept_for).filter(|_| wakes) else {
            return;
        };
        cx.observe(|| NodeEvent::Wanted {
            peer: to,
            by: sender.key(),
        });
    }

    fn bus_failed(&self, mid: Mid) {
        let code = ErrorCode::BusUnavailable;
        match mid.id {
            MessageId::Client(id) => outcome::hold(&self.cx, mid.session, id, code),
            MessageId::Node(_) => outcome::fail_unnumbered(&self.cx, mid.session, code),
        }
    }
}
