//! The kept mailbox of a session that was detached: its letters go to the client before anything newer, and
//! leave the shared record only when they are done. How they are kept is the broker's.

use bytes::Bytes;
use switchboard_protocol::{AckOutcome, Envelope, MessageId, NodeId, PeerKey};

use crate::{
    AckTo, Router, Session,
    send_queue::{Mail, OfferOutcome},
};

impl Router {
    /// Puts letters into `peer`'s queue, oldest first.
    pub(crate) fn put_mail(&self, peer: &Session, letters: Vec<Bytes>) {
        if letters.is_empty() {
            return;
        }
        let (count, bytes) = (letters.len(), letters.iter().map(Bytes::len).sum());
        let open = letters
            .iter()
            .filter(|letter| self.put_letter(peer, letter))
            .count();
        if open > 0 {
            peer.mail_begins(count, bytes, open);
        } else {
            let mail = Mail {
                letters: count,
                bytes,
                ..Mail::default()
            };
            self.remove_stored(peer, mail);
        }
    }

    /// Whether the letter is not done yet.
    fn put_letter(&self, peer: &Session, letter: &Bytes) -> bool {
        let (envelope, from, origin) = match self.read_envelope(letter, peer.key()) {
            Some(read) => read,
            // Nothing can be done with it, so it is as good as done.
            None => return false,
        };
        let MessageId::Client(id) = envelope.mid.id else {
            return false;
        };
        let payload = letter.slice_ref(envelope.payload.as_bytes());
        let ack = self.ack_to(origin.clone());
        let mut forward = self.forward(
            &from,
            envelope.mid,
            envelope.kind,
            payload,
            ack.clone(),
            envelope.trace.as_ref(),
        );
        forward.is_mail = true;
        match peer.offer(forward, None, &self.limits, self.now()) {
            OfferOutcome::Queued => true,
            OfferOutcome::AlreadyDone => {
                self.acknowledge(&origin, envelope.mid.session, id, AckOutcome::Delivered);
                false
            }
            OfferOutcome::Late => {
                self.acknowledge(&origin, envelope.mid.session, id, AckOutcome::Late);
                false
            }
            OfferOutcome::AlreadyQueued => peer.is_letter(envelope.mid, ack),
            // Not taken out: the letter stays where it is, and the next claim finds it.
            OfferOutcome::Gap | OfferOutcome::Busy | OfferOutcome::Closed => true,
        }
    }

    /// All letters that were taken out have reached the client.
    pub(crate) fn remove_stored(&self, peer: &Session, mail: Mail) {
        self.telemetry.offline_queue_delivered(mail.letters);
        if let Some(broker) = self.broker.get() {
            broker.remove_stored(peer.key(), peer.session(), mail.letters, mail.bytes);
            // A letter that came meanwhile had to wait.
            broker.read_offline_queue(peer.key(), peer.session());
        }
    }

    /// Whom to tell about a message that came from `origin`.
    pub(crate) fn ack_to(&self, origin: NodeId) -> AckTo {
        if origin == self.node {
            AckTo::Local
        } else {
            AckTo::Node(origin)
        }
    }

    /// The envelope, its sender and its node; `None`, and a line in the log, when it is not one for `to`.
    pub(crate) fn read_envelope<'a>(
        &self,
        bytes: &'a Bytes,
        to: &PeerKey,
    ) -> Option<(Envelope<'a>, PeerKey, NodeId)> {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%error, bytes = bytes.len(), "an envelope that this node cannot read");
                return None;
            }
        };
        let (Ok(from), Ok(origin)) = (PeerKey::parse(envelope.from), NodeId::new(envelope.origin)) else {
            tracing::warn!("an envelope with a malformed sender or origin");
            return None;
        };
        if from.tenant() != to.tenant() {
            tracing::error!("an envelope from another tenant was dropped");
            return None;
        }
        Some((envelope, from, origin))
    }
}
