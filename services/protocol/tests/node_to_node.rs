//! The binary forms between nodes: decoding returns what was encoded, and no bytes panic a decoder.

use proptest::prelude::*;
use switchboard_protocol::{
    Ack, AckOutcome, Envelope, EnvelopeError, MessageId, MessageKind, Mid, NodeId, NodeMessage, PeerKey,
    RelayBody, RelayOutcome, RelayRequest, ResumeToken, Secret, SessionId, TraceContext,
};

fn kinds() -> impl Strategy<Value = MessageKind> {
    prop::sample::select(MessageKind::ALL.to_vec())
}

fn traces() -> impl Strategy<Value = Option<TraceContext>> {
    prop::option::of(
        any::<([u8; 16], [u8; 8], u8)>().prop_map(|(trace_id, span_id, flags)| TraceContext {
            trace_id,
            span_id,
            flags,
        }),
    )
}

fn relay_bodies() -> impl Strategy<Value = RelayBody> {
    prop_oneof![
        "\\PC{0,300}".prop_map(|text| RelayBody::Commands(Secret::new(text))),
        any::<(Option<u64>, u64)>().prop_map(|(confirmed, wait_ms)| RelayBody::Poll { confirmed, wait_ms }),
    ]
}

fn relay_outcomes() -> impl Strategy<Value = RelayOutcome> {
    prop_oneof![
        prop::sample::select(vec![
            RelayOutcome::Taken,
            RelayOutcome::NoSession,
            RelayOutcome::Busy,
            RelayOutcome::Invalid,
        ]),
        (any::<u64>(), "\\PC{0,300}").prop_map(|(number, frames)| RelayOutcome::Batch {
            number,
            frames: Secret::new(frames),
        }),
    ]
}

#[test]
fn an_envelope_with_a_flag_of_another_version_is_refused() {
    let envelope = Envelope {
        kind: MessageKind::Offer,
        mid: Mid {
            session: SessionId::from_bytes([1; 12]),
            id: MessageId::Client(1),
        },
        prev: None,
        trace: None,
        origin: "n1",
        from: "default/alice",
        payload: "1",
    };
    let mut bytes = envelope.encode();
    assert_eq!(Envelope::decode(&bytes), Ok(envelope));
    for bit in 3..8 {
        bytes[2] |= 1 << bit;
        assert_eq!(Envelope::decode(&bytes), Err(EnvelopeError::Flags(bytes[2])));
        bytes[2] &= !(1 << bit);
    }
}

proptest! {
    #[test]
    fn an_envelope_is_decoded_from_its_encoding(
        kind in kinds(), session in any::<[u8; 12]>(), id in any::<u64>(), by_client in any::<bool>(),
        prev in any::<Option<u64>>(), trace in traces(), payload in "\\PC{0,300}",
    ) {
        let id = if by_client { MessageId::Client(id) } else { MessageId::Node(id) };
        let mid = Mid { session: SessionId::from_bytes(session), id };
        let envelope =
            Envelope { kind, mid, prev, trace, origin: "n1", from: "default/alice", payload: &payload };
        let bytes = envelope.encode();
        prop_assert_eq!(Envelope::decode(&bytes), Ok(envelope));
    }

    #[test]
    fn no_bytes_panic_the_decoders(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Envelope::decode(&bytes);
        let _ = NodeMessage::decode(&bytes);
    }

    #[test]
    fn an_envelope_truncated_before_its_payload_is_refused(cut in 0..43_usize) {
        let mid = Mid { session: SessionId::from_bytes([7; 12]), id: MessageId::Client(1) };
        let bytes = Envelope {
            kind: MessageKind::Bye, mid, prev: None, trace: None, origin: "n1", from: "default/alice", payload: "1",
        }.encode();
        prop_assume!(cut < bytes.len() - 1);
        prop_assert!(Envelope::decode(&bytes[..cut]).is_err());
    }

    #[test]
    fn acks_are_decoded_from_their_encoding(entries in prop::collection::vec((any::<[u8; 12]>(), any::<u64>(), 0..3_usize), 0..70)) {
        let acks = entries.into_iter().map(|(session, id, outcome)| Ack {
            session: SessionId::from_bytes(session),
            id,
            outcome: [AckOutcome::Delivered, AckOutcome::Busy, AckOutcome::Late][outcome],
        }).collect();
        let message = NodeMessage::Acks(acks);
        prop_assert_eq!(NodeMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_relayed_request_and_its_answer_are_decoded_from_their_encodings(
        session in any::<[u8; 12]>(), secret in any::<[u8; 16]>(), ticket in any::<u64>(), body in relay_bodies(),
        origin in "[a-z0-9-]{1,63}", peer in "[a-z.]{1,128}", cut in 0..40_usize, outcome in relay_outcomes(),
    ) {
        let message = NodeMessage::Relay(Box::new(RelayRequest {
            token: ResumeToken::new(SessionId::from_bytes(session), secret),
            key: PeerKey::parse(&format!("default/{peer}")).unwrap(),
            origin: NodeId::new(&origin).unwrap(),
            ticket,
            body,
        }));
        let bytes = message.encode();
        prop_assert_eq!(NodeMessage::decode(&bytes), Ok(message));
        prop_assert!(NodeMessage::decode(&bytes[..cut]).is_err());
        let is_batch = matches!(outcome, RelayOutcome::Batch { .. });
        let answer = NodeMessage::RelayAnswer { ticket, outcome };
        let mut bytes = answer.encode();
        prop_assert_eq!(NodeMessage::decode(&bytes), Ok(answer));
        bytes.push(0);
        prop_assert_eq!(NodeMessage::decode(&bytes).is_ok(), is_batch);
    }
}

#[test]
fn session_messages_are_decoded_from_their_encoding() {
    let key = PeerKey::parse("acme/bob").unwrap();
    let session = SessionId::from_bytes([1; 12]);
    let messages = [
        NodeMessage::Takeover {
            key: key.clone(),
            session,
            fence: 99,
        },
        NodeMessage::DetachRequest {
            key: key.clone(),
            session,
        },
        NodeMessage::Probe {
            key: key.clone(),
            session,
        },
        NodeMessage::Kick {
            key: key.clone(),
            session,
        },
        NodeMessage::OfflineQueueHint { key },
    ];
    for message in messages {
        assert_eq!(NodeMessage::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn both_forms_are_written_with_one_allocation() {
    let session = SessionId::from_bytes([1; 12]);
    let envelope = Envelope {
        kind: MessageKind::Offer,
        mid: Mid {
            session,
            id: MessageId::Client(1),
        },
        prev: Some(1),
        trace: Some(TraceContext {
            trace_id: [1; 16],
            span_id: [2; 8],
            flags: 1,
        }),
        origin: "n1",
        from: "default/alice",
        payload: "{}",
    };
    let bytes = envelope.encode();
    assert_eq!(bytes.len(), bytes.capacity());
    let ack = Ack {
        session,
        id: 1,
        outcome: AckOutcome::Busy,
    };
    let bytes = NodeMessage::Acks(vec![ack; 3]).encode();
    assert_eq!(bytes.len(), bytes.capacity());
}
