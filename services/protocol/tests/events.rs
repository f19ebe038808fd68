//! Events of a node, decoded by a client.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde_json::value::RawValue;
use switchboard_protocol::{
    ErrorCode, Event, Info, Joined, LeaveReason, Member, MemberState, MessageHead, MessageId, MessageKind,
    Mid, PeerId, PeerJoined, PeerPresence, PresenceState, ReceiptStatus, RoomId, ServerFrame, SessionId,
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
        room: None,
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
        room: None,
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
fn a_message_to_a_room_has_the_room_and_is_written_with_one_allocation() {
    let room = "r".repeat(128);
    let head = MessageHead {
        kind: MessageKind::Message,
        from: "alice",
        room: Some(&room),
        mid: Mid {
            session: SessionId::from_bytes([0; 12]),
            id: MessageId::Client(1),
        },
        seq: u64::MAX,
    };
    let mut out = Vec::new();
    write_message(&mut out, &head, b"1");
    assert!((out.len()..out.len() + 64).contains(&out.capacity()));
    let Ok(ServerFrame::Message(message)) = decode_event(&String::from_utf8(out).unwrap()) else {
        panic!("a message was written")
    };
    assert_eq!(message.room, Some(room));
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

fn room(name: &str) -> RoomId {
    RoomId::new(name).unwrap()
}

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

#[test]
fn events_of_rooms_and_presence_are_parsed_from_their_text_with_each_info_unchanged() {
    let info = r#"{ "name":"Bob", "n": 1.0e+2 ,"n":2}"#;
    let bobs = Info::from(RawValue::from_string(info.into()).unwrap());
    let joined = Joined {
        id: Some(1),
        room: room("lobby"),
        version: 7,
        count: 2,
        members: Some(vec![
            Member {
                peer: peer("alice"),
                info: None,
                state: MemberState::Detached,
            },
            Member {
                peer: peer("bob"),
                info: Some(bobs.clone()),
                state: MemberState::Online,
            },
        ]),
        gap: true,
    };
    let large = Joined {
        id: None,
        members: None,
        gap: false,
        ..joined.clone()
    };
    let events = [
        (
            Event::Joined(Box::new(joined)),
            format!(
                r#"{{"type":"joined","id":1,"room":"lobby","version":7,"count":2,"members":[{{"peer":"alice","state":"detached"}},{{"peer":"bob","info":{info},"state":"online"}}],"gap":true}}"#
            ),
        ),
        (
            Event::Joined(Box::new(large)),
            r#"{"type":"joined","room":"lobby","version":7,"count":2}"#.into(),
        ),
        (
            Event::Left {
                id: Some(2),
                room: room("lobby"),
                reason: None,
            },
            r#"{"type":"left","id":2,"room":"lobby"}"#.into(),
        ),
        (
            Event::Left {
                id: None,
                room: room("lobby"),
                reason: Some(LeaveReason::Kicked),
            },
            r#"{"type":"left","room":"lobby","reason":"kicked"}"#.into(),
        ),
        (
            Event::PeerJoined(PeerJoined {
                room: room("lobby"),
                version: 8,
                peer: peer("bob"),
                info: Some(bobs),
            }),
            format!(r#"{{"type":"peer-joined","room":"lobby","version":8,"peer":"bob","info":{info}}}"#),
        ),
        (
            Event::PeerLeft {
                room: room("lobby"),
                version: 9,
                peer: peer("bob"),
                reason: LeaveReason::Lost,
            },
            r#"{"type":"peer-left","room":"lobby","version":9,"peer":"bob","reason":"lost"}"#.into(),
        ),
        (
            Event::RoomCount {
                room: room("hall"),
                count: 20_000,
            },
            r#"{"type":"room-count","room":"hall","count":20000}"#.into(),
        ),
        (
            Event::Presence {
                id: Some(3),
                peers: vec![PeerPresence {
                    peer: peer("bob"),
                    state: PresenceState::Offline,
                }],
            },
            r#"{"type":"presence","id":3,"peers":[{"peer":"bob","state":"offline"}]}"#.into(),
        ),
        (
            Event::Receipt {
                id: 4,
                status: ReceiptStatus::Published,
            },
            r#"{"type":"receipt","id":4,"status":"published"}"#.into(),
        ),
    ];
    for (event, text) in events {
        assert_eq!(event.to_json(), text);
        let ServerFrame::Event(read) = decode_event(&text).unwrap() else {
            panic!("not a message")
        };
        assert_eq!(read, event);
    }
}

#[test]
fn each_reason_to_leave_has_its_text_in_json() {
    for reason in LeaveReason::ALL {
        assert_eq!(
            serde_json::to_string(&reason).unwrap(),
            format!("\"{}\"", reason.as_str())
        );
        assert_eq!(LeaveReason::from_name(reason.as_str()), Some(reason));
    }
    assert_eq!(LeaveReason::from_name("bored"), None);
}

#[test]
fn an_error_has_its_code_and_a_sentence_for_people() {
    let text = Event::error(Some(4), ErrorCode::PeerOffline).to_json();
    assert_eq!(
        text,
        r#"{"type":"error","id":4,"code":"peer-offline","message":"No such peer is connected or resumable."}"#
    );
}

#[test]
fn a_frame_of_a_node_is_an_object() {
    for text in [
        r#"["pong",{"time_ms":7}]"#,
        r#"["message","bob","s/1",1,2]"#,
        r#""pong""#,
        "1",
    ] {
        assert!(decode_event(text).is_err(), "{text}");
    }
    assert!(decode_event(r#" {"type":"pong","time_ms":7}"#).is_ok());
}

#[test]
fn an_older_nodes_welcome_lacks_the_newer_limits() {
    let text = r#"{"type":"welcome","peer":"alice","tenant":"default","session":"s1","node":"n1","resumed":false,
        "gap":false,"resume_token":"","resume_window_ms":0,"heartbeat_ms":25000,"token_expires_at":99,
        "limits":{"message_bytes":65536,"pending_messages":64,"messages_per_second":50},"ice_servers":[]}"#;
    let Ok(ServerFrame::Event(Event::Welcome(welcome))) = decode_event(text) else {
        panic!("a welcome")
    };
    assert_eq!((welcome.expires_at, welcome.limits.message_burst), (0, 0));
}
