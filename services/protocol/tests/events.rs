//! Events of a node, decoded by a client.

use switchboard_protocol::{
    ErrorCode, Event, MessageHead, MessageId, MessageKind, Mid, ReceiptStatus, ServerFrame, SessionId,
    decode_event, write_delivered, write_message,
};

#[test]
fn a_forwarded_message_has_its_payload_unchanged() {
    let payload = "{ \"sdp\":\"v=0\\r\\n\",\"n\": 1.0e+2 ,\"n\":2}";
    let mid = Mid {
        session: SessionId::from_bytes([0; 12]),
        id: MessageId::Client(5),
    };
    let head = MessageHead {
        kind: MessageKind::Offer,
        from: "alice",
        mid,
        seq: 9,
    };
    let mut text = Vec::new();
    write_message(&mut text, &head, payload.as_bytes());
    let text = String::from_utf8(text).unwrap();
    let ServerFrame::Message(message) = decode_event(&text).unwrap() else {
        panic!("an offer is a message")
    };
    assert_eq!(
        (message.kind, message.from.as_str(), message.seq),
        (MessageKind::Offer, "alice", 9)
    );
    assert_eq!(message.mid, mid.to_string());
    assert_eq!(message.payload.get(), payload);
}

#[test]
fn a_forwarded_message_is_written_with_one_allocation() {
    let head = MessageHead {
        kind: MessageKind::Candidate,
        from: "alice",
        mid: Mid {
            session: SessionId::from_bytes([0; 12]),
            id: MessageId::Node(u64::MAX),
        },
        seq: u64::MAX,
    };
    let payload = "1".repeat(1_000);
    let mut out = Vec::new();
    write_message(&mut out, &head, payload.as_bytes());
    assert!(
        (out.len()..out.len() + 64).contains(&out.capacity()),
        "{} of {}",
        out.len(),
        out.capacity()
    );
}

#[test]
fn a_receipt_written_by_hand_equals_the_serialised_one() {
    let mut text = Vec::new();
    write_delivered(&mut text, 7);
    let event = Event::Receipt {
        id: 7,
        status: ReceiptStatus::Delivered,
    };
    assert_eq!(String::from_utf8(text).unwrap(), event.to_json());
}

#[test]
fn events_have_their_type_first_and_are_parsed_from_their_text() {
    let events = [
        (
            Event::Receipt {
                id: 3,
                status: ReceiptStatus::Delivered,
            },
            r#"{"type":"receipt","id":3,"status":"delivered"}"#,
        ),
        (
            Event::Pong {
                id: None,
                time_ms: 12,
            },
            r#"{"type":"pong","time_ms":12}"#,
        ),
        (
            Event::Expiring { expires_at: 99 },
            r#"{"type":"expiring","expires_at":99}"#,
        ),
    ];
    for (event, text) in events {
        assert_eq!(event.to_json(), text);
        let ServerFrame::Event(read) = decode_event(text).unwrap() else {
            panic!("not a message")
        };
        assert_eq!(read, event);
    }
}

#[test]
fn an_error_has_its_code_and_a_sentence_for_people() {
    let text = Event::error(Some(4), ErrorCode::PeerOffline).to_json();
    assert_eq!(
        text,
        r#"{"type":"error","id":4,"code":"peer-offline","message":"No such peer is connected or resumable."}"#
    );
}
