//! The document against the frames that the codec writes and reads.

use std::collections::BTreeSet;

use switchboard_harness::compare_document;
use switchboard_protocol::{
    CommandError, ErrorCode, GoawayReason, LeaveReason, PeerId, PeerPresence, PresenceState, ReceiptStatus,
    RoomId, decode_command,
};

use super::*;

#[test]
fn the_committed_document_is_that_of_the_types() {
    let command = "cargo test -p switchboard-edge committed";
    compare_document("asyncapi.json", text(), command).unwrap();
}

/// The members of a message, and which of them it must have.
#[derive(Default)]
struct Members {
    all: BTreeSet<String>,
    required: BTreeSet<String>,
}

impl Members {
    fn of(document: &Value, key: &str) -> Self {
        let mut members = Self::default();
        members.add(document, &document["components"]["messages"][key]["payload"]);
        assert!(members.all.contains("type"), "the message {key} has a type");
        members
    }

    fn add(&mut self, document: &Value, schema: &Value) {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|address| address.strip_prefix(SCHEMAS))
        {
            self.add(document, &document["components"]["schemas"][name]);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.add(document, part);
        }
        // Alternatives: each may be there, none must.
        for part in schema["oneOf"].as_array().into_iter().flatten() {
            let mut one = Self::default();
            one.add(document, part);
            self.all.extend(one.all);
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        self.all.extend(properties.map(|(name, _)| name.clone()));
        let required = schema["required"].as_array().into_iter().flatten();
        self.required
            .extend(required.filter_map(|name| name.as_str().map(str::to_owned)));
    }
}

/// The name of each event; a new one is missing here.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Welcome(_) => "welcome",
        Event::Receipt { .. } => "receipt",
        Event::Error { .. } => "error",
        Event::Joined(_) => "joined",
        Event::Left { .. } => "left",
        Event::PeerJoined(_) => "peer-joined",
        Event::PeerLeft { .. } => "peer-left",
        Event::RoomCount { .. } => "room-count",
        Event::Presence { .. } => "presence",
        Event::Ice { .. } => "ice",
        Event::Expiring { .. } => "expiring",
        Event::Renewed { .. } => "renewed",
        Event::Goaway { .. } => "goaway",
        Event::Pong { .. } => "pong",
    }
}

fn samples() -> Vec<Event> {
    let (room, peer) = (RoomId::new("r").unwrap(), PeerId::new("p").unwrap());
    let id = Some(1);
    vec![
        Event::Receipt {
            id: 1,
            status: ReceiptStatus::Queued,
        },
        Event::Error {
            id,
            code: ErrorCode::Timeout,
            message: "m".into(),
            retry_after_ms: id,
        },
        Event::Joined(Box::new(Joined {
            id,
            room: room.clone(),
            version: 1,
            count: 1,
            members: Some(Vec::new()),
            gap: true,
        })),
        Event::Left {
            id,
            room: room.clone(),
            reason: Some(LeaveReason::Kicked),
        },
        Event::PeerJoined(PeerJoined {
            room: room.clone(),
            version: 1,
            peer: peer.clone(),
            info: None,
        }),
        Event::PeerLeft {
            room: room.clone(),
            version: 1,
            peer: peer.clone(),
            reason: LeaveReason::Lost,
        },
        Event::RoomCount { room, count: 1 },
        Event::Presence {
            id,
            peers: vec![PeerPresence {
                peer,
                state: PresenceState::Online,
            }],
        },
        Event::Ice {
            id,
            ice_servers: Vec::new(),
            expires_at: 1,
        },
        Event::Expiring { expires_at: 1 },
        Event::Renewed {
            id,
            token_expires_at: 1,
        },
        Event::Goaway {
            reason: GoawayReason::Draining,
            reconnect_after_ms: 1,
        },
        Event::Pong { id, time_ms: 1 },
    ]
}

#[test]
fn every_event_has_the_members_of_its_message() {
    let document = document();
    for event in samples() {
        let members = Members::of(&document, &format!("event-{}", name(&event)));
        let written: Value = serde_json::from_str(&event.to_json()).unwrap();
        let written: BTreeSet<_> = written.as_object().unwrap().keys().cloned().collect();
        assert!(written.is_subset(&members.all), "{}: {written:?}", name(&event));
        assert!(
            members.required.is_subset(&written),
            "{}: {:?}",
            name(&event),
            members.required
        );
    }
    // A welcome has every member that it can have.
    let members = Members::of(&document, "event-welcome");
    assert_eq!(members.required, members.all);
    let named: BTreeSet<_> = events().into_iter().map(|(name, _)| name).collect();
    let sampled: BTreeSet<_> = samples().iter().map(|event| name(event).to_owned()).collect();
    let missing: Vec<_> = named.difference(&sampled).collect();
    assert_eq!(
        missing,
        ["message", "welcome"],
        "every message but these has a sample"
    );
}

/// One frame of each command with all members, and the members that the decoder needs.
const FRAMES: [(&str, &str, &[&str]); 10] = [
    (
        "send",
        r#"{"type":"offer","to":"p","payload":1,"id":1,"hold_ms":1}"#,
        &["payload", "to", "type"],
    ),
    (
        "join",
        r#"{"type":"join","room":"r","info":{},"id":1}"#,
        &["room", "type"],
    ),
    (
        "leave",
        r#"{"type":"leave","room":"r","id":1}"#,
        &["room", "type"],
    ),
    (
        "lookup",
        r#"{"type":"lookup","peers":["p"],"id":1}"#,
        &["peers", "type"],
    ),
    (
        "watch",
        r#"{"type":"watch","peers":["p"],"id":1}"#,
        &["peers", "type"],
    ),
    (
        "unwatch",
        r#"{"type":"unwatch","peers":["p"],"id":1}"#,
        &["peers", "type"],
    ),
    ("ice", r#"{"type":"ice","id":1}"#, &["type"]),
    (
        "renew",
        r#"{"type":"renew","token":"t","id":1}"#,
        &["token", "type"],
    ),
    ("ack", r#"{"type":"ack","seq":1,"late":true}"#, &["seq", "type"]),
    ("ping", r#"{"type":"ping","id":1}"#, &["type"]),
];

#[test]
fn the_decoder_needs_the_members_that_are_required_and_no_others() {
    let document = document();
    let named: BTreeSet<_> = commands().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        named,
        FRAMES.iter().map(|(name, ..)| (*name).to_owned()).collect()
    );
    for (name, frame, needed) in FRAMES {
        let frame: Map<String, Value> = serde_json::from_str(frame).unwrap();
        let members = Members::of(&document, &format!("command-{name}"));
        let mut required = members.required.clone();
        // Either `to` or `room`: the schema says so with alternatives.
        if name == "send" {
            required.insert("to".into());
            assert!(members.all.contains("room"));
        }
        assert!(
            required.iter().map(String::as_str).eq(needed.iter().copied()),
            "{name}: {required:?}"
        );
        for member in frame.keys() {
            assert!(members.all.contains(member), "{name}.{member}");
            let mut without = frame.clone();
            without.remove(member);
            let text = Value::Object(without).to_string();
            let decoded: Result<_, CommandError> = decode_command(&text);
            assert_eq!(
                decoded.is_err(),
                required.contains(member),
                "{name} without {member}"
            );
        }
    }
}

#[test]
fn descriptions_are_for_readers_of_the_wire() {
    for foreign in ["crate::", "`None`", "`Some`", "[`"] {
        assert!(!text().contains(foreign), "a description contains {foreign}");
    }
}

#[test]
fn codes_have_the_names_of_the_wire_and_a_meaning() {
    let schemas = named_schemas();
    let codes = |name: &str| schemas[name]["oneOf"].as_array().unwrap().clone();
    assert_eq!(codes("ErrorCode")[0]["enum"], json!(["bad-frame"]));
    assert_eq!(codes("CloseCode")[0]["enum"], json!([1000]));
    for code in codes("ErrorCode").iter().chain(&codes("CloseCode")) {
        assert!(
            code["description"].as_str().is_some_and(|text| !text.is_empty()),
            "{code}"
        );
    }
}
