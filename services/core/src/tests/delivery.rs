//! The way of a message when nothing fails.

use bytes::Bytes;
use futures_util::FutureExt as _;
use switchboard_protocol::{ErrorCode, MessageId, MessageKind, NodeId, PeerKey, SessionId};

use super::harness::*;
use crate::{AttachRequest, BrokerEvents as _, PreviousOwner, SendRequest};

#[test]
fn a_message_on_one_node_never_touches_the_bus_and_is_receipted_once_written() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    node.send(&alice, "bob", 1, "{ \"a\" : 1.0 }");
    assert!(write(&alice).is_empty(), "no receipt before bob's socket has it");
    assert_eq!(write(&bob), ["alice #1 { \"a\" : 1.0 }"]);
    assert_eq!(write(&alice), ["1 delivered"]);
    assert!(node.asked().is_empty());
}

#[test]
fn a_message_to_another_node_is_receipted_by_that_nodes_acknowledgement() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    for id in 1..=3 {
        n1.send(&alice, "bob", id, "\"x\"");
    }
    assert_eq!(n1.carry_to(&n2), 3, "one publish a message");
    assert_eq!(
        write(&bob),
        ["alice #1 \"x\"", "alice #2 \"x\"", "alice #3 \"x\""]
    );
    n2.flush_acks();
    assert_eq!(n2.carry_to(&n1), 1, "one publish for three acknowledgements");
    assert_eq!(write(&alice), ["1 delivered", "2 delivered", "3 delivered"]);
}

#[test]
fn a_peer_may_send_to_itself() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "alice", 1, "1");
    assert_eq!(write(&alice), ["alice #1 1"]);
    assert_eq!(write(&alice), ["1 delivered"]);
}

#[test]
fn an_unknown_peer_is_offline_once_the_record_says_so() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "nobody", 1, "1");
    let (mid, to) = &node.published();
    node.router.on_published(*mid, to, Ok(0));
    assert!(write(&alice).is_empty(), "a count of zero is no proof");
    assert_eq!(node.carry_to(&node), 1, "so the record is asked");
    assert_eq!(write(&alice), error(1, ErrorCode::PeerOffline));
}

#[test]
fn an_unnumbered_message_gets_no_receipt_but_its_errors() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    let send = |to: &str| {
        let payload = Bytes::from_static(b"1");
        let request = SendRequest {
            to: key(to),
            kind: MessageKind::Message,
            payload,
            id: MessageId::Node(1),
            hold: None,
        };
        node.router.send(alice.session(), request);
    };
    send("bob");
    assert_eq!(write(&bob), ["alice #1 1"]);
    assert!(write(&alice).is_empty());
    send("nobody");
    let (mid, to) = &node.published();
    node.router.on_published(*mid, to, Ok(0));
    node.carry_to(&node);
    assert_eq!(write(&alice), ["- peer-offline"]);
}

#[test]
fn a_second_connection_of_a_peer_replaces_the_first_on_the_same_node() {
    let node = Node::new("n1");
    let (alice, old) = (node.attach("alice"), node.attach("bob"));
    let new = node.attach("bob");
    assert_eq!(write(&old), ["close 4409"]);
    drop(old);
    node.send(&alice, "bob", 1, "1");
    assert_eq!(
        write(&new),
        ["alice #1 1"],
        "the old one's leaving took nothing with it"
    );
}

#[test]
fn a_second_connection_of_a_peer_replaces_the_first_on_another_node() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let old = n1.attach("bob");
    n2.finds_owner(PreviousOwner {
        node: NodeId::new("n1").unwrap(),
        session: old.session().id(),
    });
    let _new = n2.attach("bob");
    n2.carry_to(&n1);
    assert_eq!(write(&old), ["close 4409"]);
}

#[test]
fn a_takeover_of_an_older_session_does_not_close_a_newer_one() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let stale = SessionId::from_bytes([9; 12]);
    let current = n1.attach("bob");
    n2.finds_owner(PreviousOwner {
        node: NodeId::new("n1").unwrap(),
        session: stale,
    });
    let _elsewhere = n2.attach("bob");
    n2.carry_to(&n1);
    assert!(write(&current).is_empty());
}

#[test]
fn an_envelope_from_another_tenant_is_dropped() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let bob = n2.attach("bob");
    let mallory = n1
        .router
        .attach(&PeerKey::parse("evil/mallory").unwrap(), AttachRequest::default())
        .now_or_never()
        .unwrap()
        .unwrap();
    n1.send(&mallory, "bob", 1, "1");
    n1.carry_to(&n2);
    assert!(write(&bob).is_empty());
}
