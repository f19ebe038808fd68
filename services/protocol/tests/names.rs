//! Names of peers, tenants and nodes: their bounds, and that every way to show one shows the same text.

use std::collections::HashMap;

use switchboard_protocol::{
    IdError, MAX_ID_BYTES, NodeId, PeerId, PeerKey, ResumeToken, RoomId, RoomKey, SessionId, TenantId,
};

#[test]
fn a_name_may_have_as_many_bytes_as_the_limit_and_not_one_more() {
    let longest = "x".repeat(MAX_ID_BYTES);
    assert_eq!(
        PeerId::new(&longest).map(|peer| peer.to_string()),
        Ok(longest.clone())
    );
    assert_eq!(
        PeerId::new(&format!("{longest}x")),
        Err(IdError::TooLong(MAX_ID_BYTES + 1))
    );
    assert_eq!(NodeId::new(""), Err(IdError::Empty));
    assert_eq!(TenantId::new("a/b"), Err(IdError::BadCharacter(1)));
    assert_eq!(PeerKey::parse("no-slash"), Err(IdError::Empty));
}

#[test]
fn a_key_has_two_halves() {
    let key = PeerKey::parse("acme/alice").unwrap();
    assert_eq!((key.tenant(), key.peer()), ("acme", "alice"));
    assert_eq!(key.tenant_id(), TenantId::new("acme").unwrap());
    assert_eq!(key.peer_id(), PeerId::new("alice").unwrap());
    assert_eq!(key.sibling("bob"), PeerKey::parse("acme/bob"));
    assert_eq!(key.sibling(""), Err(IdError::Empty));
    let room = key.room("lobby").unwrap();
    assert_eq!((room.tenant(), room.room()), ("acme", "lobby"));
    assert_eq!(room, RoomKey::new("acme", &RoomId::new("lobby").unwrap()));
    assert_eq!(room.room_id(), RoomId::new("lobby").unwrap());
    assert_eq!(key.room("other/lobby"), Err(IdError::BadCharacter(5)));
}

#[test]
fn a_key_is_found_and_shown_by_its_text() {
    let key = PeerKey::parse("acme/alice").unwrap();
    assert_eq!(key.to_string(), "acme/alice");
    assert_eq!(format!("{key:?}"), "\"acme/alice\"");
    let table = HashMap::from([(key, 7)]);
    assert_eq!((table.get("acme/alice"), table.get("acme/bob")), (Some(&7), None));
    assert_eq!(format!("{:?}", NodeId::new("n1").unwrap()), "\"n1\"");
    let table = HashMap::from([(PeerId::new("alice").unwrap(), 7)]);
    assert_eq!((table.get("alice"), table.get("")), (Some(&7), None));
}

#[test]
fn a_session_is_shown_as_its_text_and_a_resume_token_as_no_more() {
    let session = SessionId::from_bytes(*b"abcdefghijkl");
    assert_eq!(format!("{session:?}"), "YWJjZGVmZ2hpamts");
    let token = ResumeToken::new(session, *b"0123456789abcdef");
    assert_eq!(token.secret_bytes(), *b"0123456789abcdef");
    assert_eq!(format!("{token:?}"), "YWJjZGVmZ2hpamts.<redacted>");
}
