//! Properties of the decoders in `switchboard-protocol`: no panic, and what decodes encodes to the same meaning.

use serde_json::{Value, value::RawValue};
use switchboard_protocol::{
    Claims, Codec as _, Command, Envelope, Event, MAX_FRAME_DEPTH, MAX_ID_BYTES, MessageHead, Mid, NodeId,
    NodeMessage, Patterns, PeerId, PeerKey, ResumeToken, RoomId, RoomKey, ServerFrame, SessionId, TenantId,
    codec::native::Native, decode_command, decode_event, encode_command, nests_deeper_than, write_message,
};

/// The name of a fuzz target, and its property.
pub type Check = (&'static str, fn(&[u8]));

/// Every check of this file by the name of its fuzz target.
pub const CHECKS: [Check; 9] = [
    ("command", command),
    ("event", event),
    ("envelope", envelope),
    ("node_message", node_message),
    ("session_text", session_text),
    ("names", names),
    ("token_claims", token_claims),
    ("nesting", nesting),
    ("patterns", patterns),
];

/// One text frame of a client.
pub fn command(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let id_of_head = Native.too_large(data).id;
    let Ok(command) = decode_command(text) else { return };
    assert!(!nests_deeper_than(data, MAX_FRAME_DEPTH));
    if let Command::Send(send) = &command {
        assert!(
            text.contains(send.payload.get()),
            "the payload is a slice of the frame"
        );
    }
    assert_ne!(command.id(), Some(0));
    if command.id().is_some() {
        assert_eq!(command.id(), id_of_head, "the head of a whole frame has its id");
    }
    let again = encode_command(&command);
    let Ok(read) = decode_command(&again) else {
        panic!("{again} does not read back")
    };
    assert_eq!(format!("{read:?}"), format!("{command:?}"));
}

/// One text frame of a node.
pub fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match decode_event(text) {
        Ok(ServerFrame::Event(event)) => same_event(&event),
        Ok(ServerFrame::Message(message)) => {
            let room = message.room.as_deref().map(RoomId::new).transpose();
            let (Ok(mid), Ok(from), Ok(room)) = (Mid::parse(&message.mid), PeerId::new(&message.from), room)
            else {
                return;
            };
            let head = MessageHead {
                kind: message.kind,
                from: from.as_str(),
                room: room.as_ref().map(RoomId::as_str),
                mid,
                seq: message.seq,
            };
            same_message(&head, &message.payload);
        }
        Err(_) => {}
    }
}

fn same_event(event: &Event) {
    let text = event.to_json();
    match decode_event(&text) {
        Ok(ServerFrame::Event(read)) => assert_eq!(read, *event),
        other => panic!("{text} does not read back: {other:?}"),
    }
}

fn same_message(head: &MessageHead<'_>, payload: &RawValue) {
    let mut out = Vec::new();
    write_message(&mut out, head, payload.get().as_bytes());
    let text = String::from_utf8(out).expect("heads and payloads are text");
    let Ok(ServerFrame::Message(read)) = decode_event(&text) else {
        panic!("{text} does not read back")
    };
    assert_eq!(
        (read.kind, read.from.as_str(), read.room.as_deref(), read.seq),
        (head.kind, head.from, head.room, head.seq)
    );
    assert_eq!(Mid::parse(&read.mid), Ok(head.mid));
    assert_eq!(read.payload.get(), payload.get());
}

/// A message between two nodes.
pub fn envelope(data: &[u8]) {
    let Ok(envelope) = Envelope::decode(data) else {
        return;
    };
    assert_eq!(envelope.encode(), data, "an envelope has one form");
}

/// A message on a node's own channel.
pub fn node_message(data: &[u8]) {
    let Ok(message) = NodeMessage::decode(data) else {
        return;
    };
    assert_eq!(message.encode(), data, "a node message has one form");
}

/// Session ids, message ids and resume tokens.
pub fn session_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(token) = ResumeToken::parse(text) {
        assert_eq!(token.to_secret().expose(), text);
        assert_eq!(ResumeToken::new(token.session, token.secret_bytes()), token);
        assert!(!format!("{token:?}").contains(token.secret().expose()));
    }
    if let Ok(session) = SessionId::parse(text) {
        assert_eq!(session.to_string(), text);
        assert_eq!(text.len(), SessionId::CHARS);
    }
    if let Ok(mid) = Mid::parse(text) {
        let written = mid.to_string();
        assert_eq!(written, text);
        let mut out = Vec::new();
        mid.write(&mut out);
        assert_eq!(out, written.as_bytes());
    }
}

/// Peer, tenant and node names, and the address of a peer.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let peer = PeerId::new(text);
    assert_eq!(peer.is_ok(), TenantId::new(text).is_ok());
    assert_eq!(peer.is_ok(), NodeId::new(text).is_ok());
    assert_eq!(peer.is_ok(), RoomId::new(text).is_ok());
    if let Ok(peer) = &peer {
        assert_eq!(peer.as_str(), text);
        assert!((1..=MAX_ID_BYTES).contains(&text.len()));
        let json = serde_json::to_string(peer).expect("a name serialises");
        assert_eq!(json, format!("\"{text}\""), "a name needs no escape");
        let read: PeerId = serde_json::from_str(&json).expect("a written name reads back");
        assert_eq!(&read, peer);
    }
    if let Ok(key) = PeerKey::parse(text) {
        assert_eq!(key.as_str(), text);
        assert_eq!(PeerKey::new(key.tenant(), &key.peer_id()), key);
        assert_eq!(key.sibling(key.peer()), Ok(key.clone()));
        assert_eq!(key.room(key.peer()), RoomKey::parse(text));
        assert_eq!(format!("{}/{}", key.tenant_id(), key.peer()), text);
    }
}

/// The payload of a token.
pub fn token_claims(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Claims>(data) else {
        return;
    };
    let text = serde_json::to_string(&claims).expect("claims serialise");
    let again: Claims = serde_json::from_str(&text).expect("written claims read back");
    assert_eq!(serde_json::to_string(&again).expect("claims serialise"), text);
    assert_eq!(
        (&again.sub, again.exp, again.nbf, again.iat),
        (&claims.sub, claims.exp, claims.nbf, claims.iat)
    );
}

/// The depth of a JSON text against the parser's own.
pub fn nesting(data: &[u8]) {
    for limit in [0, 1, 3, MAX_FRAME_DEPTH] {
        let is_deeper = nests_deeper_than(data, limit);
        if let Ok(value) = serde_json::from_slice::<Value>(data) {
            assert_eq!(is_deeper, depth(&value) > limit);
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// One pattern and one name, with a line break between, against a matcher that tries everything.
pub fn patterns(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((pattern, name)) = text.split_once('\n') else {
        return;
    };
    if pattern.len() > 64 || name.len() > 64 {
        return;
    }
    let Ok(rules) = Patterns::new(vec![pattern.to_owned()]) else {
        panic!("one pattern is within the limit")
    };
    assert_eq!(rules.allow(name), matches(pattern.as_bytes(), name.as_bytes()));
}

/// The textbook table: `reached[n]` says whether the pattern so far matches the first `n` bytes.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for symbol in pattern {
        if *symbol == b'*' {
            for at in 1..=name.len() {
                reached[at] |= reached[at - 1];
            }
        } else {
            for at in (1..=name.len()).rev() {
                reached[at] = reached[at - 1] && name[at - 1] == *symbol;
            }
            reached[0] = false;
        }
    }
    reached[name.len()]
}
