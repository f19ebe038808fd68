//! Events of the broker go to the part that they concern. Runs on the broker's reader, so nothing here waits.

use bytes::Bytes;
use switchboard_protocol::{
    CloseCode, Mid, NodeMessage, NodeMessageError, PeerId, PeerKey, PresenceState, Revocation, RoomKey,
    SessionId,
};
use switchboard_telemetry::BusDrop;

use crate::{
    broker::{
        error::BrokerError,
        interface::BrokerEvents,
        presence::{Asker, Located},
        rooms::{JoinError, RoomDelta, RoomJoined, RoomLeft},
        stored_message::StoreOutcome,
    },
    observer::NodeEvent,
    router::Router,
    send::outcome,
};

impl BrokerEvents for Router {
    fn on_message(&self, to: &str, envelope: Bytes) {
        self.receiver_side().on_message(to, &envelope);
    }

    fn on_node_message(&self, message: Bytes) {
        let cx = self.context();
        match NodeMessage::decode(&message) {
            Ok(NodeMessage::Acks(acks)) => acks.into_iter().for_each(|ack| outcome::on_ack(cx, ack)),
            Ok(NodeMessage::Takeover { key, session, fence }) => {
                let session = cx.registry.attached_session(&key, session);
                // A newer claim of the same session on this very node stays.
                if let Some(session) = session.filter(|session| session.fence() < fence || fence == 0) {
                    session.close(CloseCode::Replaced);
                }
            }
            Ok(NodeMessage::DetachRequest { key, session }) => {
                if let Some(session) = cx.registry.attached_session(&key, session) {
                    session.close(CloseCode::Normal);
                }
            }
            Ok(NodeMessage::Probe { key, session }) => {
                if let Some(session) = cx.registry.attached_session(&key, session) {
                    session.probe();
                }
            }
            Ok(NodeMessage::Kick { key, session }) => {
                if let Some(session) = cx.registry.attached_session(&key, session) {
                    session.close(CloseCode::Kicked);
                }
            }
            Ok(NodeMessage::OfflineQueueHint { key }) => self.receiver_side().on_offline_queue_hint(&key),
            Ok(NodeMessage::Relay(request)) => {
                if let Some(relay) = cx.relay() {
                    relay.on_request(*request);
                }
            }
            Ok(NodeMessage::RelayAnswer { ticket, outcome }) => {
                if let Some(relay) = cx.relay() {
                    relay.on_answer(ticket, outcome);
                }
            }
            Err(error) => {
                let reason = match error {
                    NodeMessageError::Tag(_) => BusDrop::OtherVersion,
                    NodeMessageError::Malformed => BusDrop::Malformed,
                };
                cx.telemetry.bus_message_dropped(reason, &error);
            }
        }
    }

    fn on_published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>) {
        self.sender_side().on_published(mid, to, outcome);
    }

    fn on_stored(&self, mid: Mid, to: &PeerKey, outcome: Result<StoreOutcome, BrokerError>) {
        self.sender_side().on_stored(mid, to, outcome);
    }

    fn on_offline_queue(&self, to: &PeerKey, session: SessionId, messages: Vec<Bytes>) {
        self.receiver_side().on_offline_queue(to, session, &messages);
    }

    fn on_located(&self, asker: Asker, to: &PeerKey, outcome: Result<Located, BrokerError>) {
        match asker {
            Asker::Send(mid) => self.sender_side().on_located(mid, to, outcome),
            Asker::Query(number) => self.presence_side().on_located(number, to, outcome),
        }
    }

    fn on_watching(&self, peer: &str) {
        self.presence_side().on_watching(peer);
    }

    fn on_presence(&self, peer: &str, fence: u64, state: PresenceState) {
        self.presence_side().on_change(peer, fence, state);
    }

    fn on_session_ended(&self, peer: &PeerKey, session: SessionId) {
        self.context().observe(|| NodeEvent::Ended { peer, session });
    }

    fn on_revoked(&self, revocations: Vec<Revocation>, now_s: u64) {
        self.revoked(revocations, now_s);
    }

    fn on_revocations_read(&self, stored: Vec<Revocation>, now_s: u64) -> Vec<Revocation> {
        self.revocations_read(stored, now_s)
    }

    fn on_room_joined(
        &self,
        room: &RoomKey,
        peer: &PeerId,
        session: SessionId,
        outcome: Result<RoomJoined, JoinError>,
    ) {
        self.room_side().on_joined(room, peer, session, outcome);
    }

    fn on_room_left(&self, room: &RoomKey, left: RoomLeft) {
        self.room_side().on_left(room, &left);
    }

    fn on_room_delta(&self, room: &RoomKey, delta: RoomDelta) {
        self.room_side().on_delta(room, delta);
    }

    fn on_room_message(&self, room: &str, envelope: Bytes) {
        self.room_side().on_message(room, &envelope);
    }

    fn on_room_published(&self, _: &RoomKey, mid: Mid, outcome: Result<(), BrokerError>) {
        self.room_side().on_published(mid, outcome);
    }

    fn on_room_gap(&self, room: &RoomKey) {
        self.room_side().on_gap(room);
    }
}
