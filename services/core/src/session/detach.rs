//! Detaching: the connection of a session is gone. Its senders transmit again what it has not done, and the
//! shared record keeps the rest for a resume.

use std::time::Duration;

use switchboard_protocol::{AckOutcome, ErrorCode, LeaveReason, MessageId, Mid, PeerKey};

use super::{handle::Session, lifecycle::Lifecycle, request::OnDisconnect, snapshot::SessionSnapshot};
use crate::{
    broker::claim::Retention,
    observer::NodeEvent,
    receive::{delivery::AckTo, in_flight::Undelivered},
    send::{outcome, sender::Sender as _},
};

impl Lifecycle {
    /// Releases a session whose connection is gone; `reason` is for the members of its rooms.
    pub(crate) fn release(&self, session: &Session, on_disconnect: OnDisconnect, reason: LeaveReason) {
        let cx = &*self.cx;
        self.parts.presence.forget(session);
        // Gone already: a newer connection on this node has resumed it.
        let is_continued = session.is_gone();
        let is_current = cx.registry.remove(session);
        let snapshot = Some(self.return_undelivered(session));
        let window = match on_disconnect {
            OnDisconnect::Detach => cx.limits.resume_window,
            OnDisconnect::Away => cx.limits.away_window.min(cx.limits.resume_window),
            OnDisconnect::End => Duration::ZERO,
        };
        let is_kept = is_current && !window.is_zero();
        if !is_continued {
            let (peer, fence, session) = (session.key(), session.fence(), session.id());
            // Before the detach: another node attaches the session after it, and reports that.
            cx.observe(|| match is_kept {
                true => NodeEvent::Detached { peer, session, fence },
                false => NodeEvent::Ended { peer, session },
            });
        }
        if is_current && let Ok(broker) = cx.broker() {
            let retention = is_kept.then_some(Retention { snapshot, window });
            broker.detach(session.key(), session.id(), session.fence(), retention);
        }
        if is_continued {
            // The newer connection is in the rooms already.
        } else if is_kept {
            self.parts.rooms.detach_session(session, window, reason);
        } else {
            self.parts.rooms.end_session(session, reason);
        }
        let mut slot = session.outbox().lock();
        let dropped = slot.as_mut().map_or(0, |outbox| outbox.drop_queued());
        let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
        cx.telemetry.pending_sends(-dropped);
        outcome::forget_if_spent(cx, session, slot.as_deref());
        drop(slot);
    }

    /// Takes from a connection that ends what it has not done: the senders transmit it again.
    pub(super) fn return_undelivered(&self, session: &Session) -> SessionSnapshot {
        let Undelivered { snapshot, undone, .. } = session.abandon();
        self.return_to_senders(session.key(), undone);
        snapshot
    }

    /// Their senders transmit these messages again, at once.
    fn return_to_senders(&self, receiver: &PeerKey, undone: Vec<(Mid, AckTo)>) {
        for (mid, ack) in undone {
            let MessageId::Client(id) = mid.id else { continue };
            match ack {
                AckTo::Nobody => {}
                AckTo::Local => outcome::hold(&self.cx, mid.session, id, ErrorCode::Timeout),
                AckTo::Node(node) => {
                    self.parts
                        .receiver
                        .acknowledge(&node, receiver, (mid.session, id), AckOutcome::Busy);
                }
            }
        }
    }

    /// Closes the connection of `session` and gives up what waits for it: the node has no memory for it.
    pub(crate) fn shed(&self, session: &Session) {
        self.return_to_senders(session.key(), session.shed());
    }
}
