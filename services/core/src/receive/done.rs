//! The end of the receive path: the client has a message, or refuses it, and the sender hears so.

use switchboard_protocol::{Ack, AckOutcome, MessageId};

use super::{
    delivery::AckTo,
    in_flight::{InFlight, StoredBatch},
    side::ReceiverSide,
};
use crate::{send::outcome, session::handle::Session};

impl ReceiverSide {
    /// Everything up to `seq` has reached the client of `session`: the socket has it or, with `acks=client`, the
    /// client says so.
    pub(crate) fn done(&self, session: &Session, seq: u64) {
        while let Some((sent, batch)) = session.take_done(seq) {
            self.answer(session, &sent, AckOutcome::Delivered, batch);
        }
    }

    /// The client of `session` has processed everything before `seq` and refuses `seq`: it had a later message of
    /// the same sender, on a connection whose node left no snapshot.
    pub(crate) fn refused(&self, session: &Session, seq: u64) {
        self.done(session, seq.saturating_sub(1));
        if let Some((sent, batch)) = session.take_refused(seq) {
            self.answer(session, &sent, AckOutcome::Late, batch);
        }
    }

    fn answer(&self, session: &Session, sent: &InFlight, outcome: AckOutcome, batch: Option<StoredBatch>) {
        if let MessageId::Client(id) = sent.mid.id {
            let sender = sent.mid.session;
            match &sent.ack {
                AckTo::Nobody => {}
                AckTo::Local => outcome::on_ack(
                    &self.cx,
                    Ack {
                        session: sender,
                        id,
                        outcome,
                    },
                ),
                AckTo::Node(node) => self.acknowledge(node, session.key(), (sender, id), outcome),
            }
        }
        if let Some(batch) = batch {
            self.remove_stored(session, batch);
        }
    }
}
