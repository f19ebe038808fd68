//! Messages to a room: published once, at most. A numbered send ends in `published` when the bus has it, or in an
//! error: at its deadline at the latest.

use std::time::{Duration, Instant};

use bytes::Bytes;
use switchboard_protocol::{Envelope, ErrorCode, MessageId, MessageKind, Mid, RoomKey, SendOutcome};
use switchboard_telemetry::Path;

use super::{pending_sends::PendingSend, side::RoomSide};
use crate::{
    broker::error::BrokerError,
    send::{sender::Sender, transmit::text},
    session::handle::Session,
};

/// A message to a room costs its sender one command, and another one for each so many members.
pub(crate) const MEMBERS_PER_COMMAND: usize = 100;

/// A message to a room that passed the command gate.
#[derive(Debug)]
pub struct RoomSend {
    /// The room.
    pub room: RoomKey,
    /// Its kind.
    pub kind: MessageKind,
    /// The payload: a slice of the received frame.
    pub payload: Bytes,
    /// Its id; a [`MessageId::Client`] asks for an outcome.
    pub id: MessageId,
}

impl RoomSide {
    /// Takes one message of a client to a room in which it is.
    pub(crate) fn send(&self, session: &Session, send: RoomSend) {
        let mut members = None;
        self.in_known_room(send.room.as_str(), |_, state| {
            members = state.is_member(session.id()).then(|| state.roster.len());
        });
        let refused = match members {
            None => Err(ErrorCode::NotInRoom),
            Some(members) => self.charge_members(session, members),
        };
        match refused {
            Ok(()) => self.publish(session, send),
            Err(code) => self.failed(session, &send, code),
        }
    }

    /// Takes one message to a room, of a sender that need not be in it.
    pub(crate) fn publish(&self, sender: &dyn Sender, send: RoomSend) {
        let cx = &*self.cx;
        let now = cx.now();
        sender.mark_active(cx.second(now));
        let mid = Mid {
            session: sender.id(),
            id: send.id,
        };
        if matches!(send.id, MessageId::Client(_)) {
            let account = sender.account();
            let charge = account.map(|account| account.charge_pending(send.payload.len()));
            let Ok(charge) = charge.transpose() else {
                return self.failed(sender, &send, ErrorCode::RateLimited);
            };
            let pending = PendingSend {
                kind: send.kind,
                charge,
            };
            match self.sends.add(mid, pending, now + cx.limits.send_deadline) {
                None => return,
                Some(false) => return self.failed(sender, &send, ErrorCode::QueueFull),
                Some(true) => {}
            }
        }
        let envelope = Envelope {
            kind: send.kind,
            mid,
            prev: None,
            trace: None,
            origin: cx.node.as_str(),
            from: sender.key().as_str(),
            payload: text(&send.payload),
        };
        let published = cx
            .broker()
            .and_then(|broker| broker.publish_to_room(&send.room, mid, envelope.encode()));
        if published.is_err() {
            self.sends.take(&mid);
            self.failed(sender, &send, ErrorCode::BusUnavailable);
        }
    }

    /// The bus has a message, or not.
    pub(crate) fn on_published(&self, mid: Mid, outcome: Result<(), BrokerError>) {
        let outcome = match outcome {
            Ok(()) => SendOutcome::Published,
            Err(_) => SendOutcome::Error(ErrorCode::BusUnavailable),
        };
        let MessageId::Client(id) = mid.id else {
            if let (SendOutcome::Error(code), Some(sender)) = (outcome, self.cx.registry.sender(mid.session))
            {
                sender.on_failed(code);
            }
            return;
        };
        if let Some(send) = self.sends.take(&mid) {
            self.ended(mid, id, &send, outcome);
        }
    }

    /// Ends sends of which the bus has said nothing until their deadline.
    pub(super) fn end_overdue_sends(&self, now: Instant) {
        for (mid, send) in self.sends.take_overdue(now) {
            if let MessageId::Client(id) = mid.id {
                self.ended(mid, id, &send, SendOutcome::Error(ErrorCode::Timeout));
            }
        }
    }

    fn ended(&self, mid: Mid, id: u64, send: &PendingSend, outcome: SendOutcome) {
        self.cx.telemetry.send_ended(send.kind, Path::Remote, outcome);
        if let Some(sender) = self.cx.registry.sender(mid.session) {
            sender.on_outcome(id, outcome);
        }
    }

    /// The send did not reach the bus.
    fn failed(&self, sender: &dyn Sender, send: &RoomSend, code: ErrorCode) {
        match send.id {
            MessageId::Client(id) => {
                let outcome = SendOutcome::Error(code);
                self.cx.telemetry.send_ended(send.kind, Path::Remote, outcome);
                sender.on_outcome(id, outcome);
            }
            MessageId::Node(_) => sender.on_failed(code),
        }
    }

    /// A large room costs its sender more of the rate.
    fn charge_members(&self, session: &Session, members: usize) -> Result<(), ErrorCode> {
        let charged: Result<(), Duration> = session.account().take_commands(members / MEMBERS_PER_COMMAND);
        charged.map_err(|_| ErrorCode::RateLimited)
    }
}
