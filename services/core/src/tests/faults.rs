//! Messages that are lost, repeated, late or do not fit: always one outcome, never two deliveries.

use std::time::Duration;

use bytes::Bytes;
use switchboard_protocol::ErrorCode;

use super::harness::*;
use crate::{BrokerEvents as _, Limits};

const RETRY: Duration = Duration::from_millis(150);

#[test]
fn a_lost_envelope_is_repeated() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    assert_eq!(n1.asked().len(), 1, "… and lost");
    n1.retry(&alice, "bob", RETRY / 2);
    assert!(n1.asked().is_empty(), "not before its time");
    n1.retry(&alice, "bob", RETRY * 2);
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["alice #1 1"]);
}

#[test]
fn a_lost_acknowledgement_leads_to_no_second_delivery() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["alice #1 1"]);
    n2.flush_acks();
    assert_eq!(n2.asked().len(), 1, "… and lost");
    n1.retry(&alice, "bob", RETRY * 2);
    n1.carry_to(&n2);
    assert!(write(&bob).is_empty());
    n2.flush_acks();
    n2.carry_to(&n1);
    assert_eq!(write(&alice), ["1 delivered"]);
}

#[test]
fn a_message_repeated_while_it_waits_is_not_doubled_and_not_acknowledged_early() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    n1.carry_to(&n2);
    n1.retry(&alice, "bob", RETRY * 2);
    n1.carry_to(&n2);
    n2.flush_acks();
    assert!(
        n2.asked().is_empty(),
        "nothing is acknowledged that is not written"
    );
    assert_eq!(write(&bob), ["alice #1 1"]);
}

#[test]
fn order_is_kept_when_the_first_of_three_is_lost() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    for (id, payload) in [(1, "1"), (2, "2"), (3, "3")] {
        n1.send(&alice, "bob", id, payload);
    }
    for late in n1.asked().drain(1..) {
        n1.carry(late, &n2);
    }
    assert!(write(&bob).is_empty(), "2 and 3 wait for 1");
    n1.retry(&alice, "bob", RETRY * 2);
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["alice #1 1", "alice #2 2", "alice #3 3"]);
}

#[test]
fn a_stray_copy_of_a_message_whose_sender_gave_up_reaches_nobody() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    let stray = n1.asked();
    n1.retry(&alice, "bob", Limits::default().send_deadline * 2);
    assert_eq!(write(&alice), error(1, ErrorCode::Timeout));
    n1.send(&alice, "bob", 2, "2");
    n1.carry_to(&n2);
    stray.into_iter().for_each(|copy| n1.carry(copy, &n2));
    assert_eq!(write(&bob), ["alice #1 2"]);
}

#[test]
fn a_bus_that_stays_down_is_named_at_the_deadline() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    *node.bus.is_down.lock() = true;
    node.send(&alice, "far", 1, "1");
    node.send(&alice, "bob", 2, "2");
    assert_eq!(write(&bob), ["alice #1 2"], "peers of one node go on talking");
    assert_eq!(write(&alice), ["2 delivered"]);
    node.retry(&alice, "far", Limits::default().send_deadline * 2);
    assert_eq!(write(&alice), error(1, ErrorCode::BusUnavailable));
}

#[test]
fn a_bus_that_comes_back_before_the_deadline_costs_only_time() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    *n1.bus.is_down.lock() = true;
    n1.send(&alice, "bob", 1, "1");
    n1.send(&alice, "bob", 2, "2");
    *n1.bus.is_down.lock() = false;
    n1.retry(&alice, "bob", RETRY);
    assert_eq!(n1.carry_to(&n2), 2);
    assert_eq!(write(&bob), ["alice #1 1", "alice #2 2"]);
}

#[test]
fn a_full_send_queue_holds_its_own_stream_and_no_other() {
    let limits = Limits {
        send_queue_messages: 1,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let (alice, bob, carol) = (node.attach("alice"), node.attach("bob"), node.attach("carol"));
    for (id, payload) in [(1, "1"), (2, "2"), (3, "3")] {
        node.send(&alice, "bob", id, payload);
    }
    node.send(&alice, "carol", 4, "4");
    assert_eq!(write(&carol), ["alice #1 4"]);
    for expected in ["alice #1 1", "alice #2 2", "alice #3 3"] {
        assert_eq!(write(&bob), [expected]);
        node.retry(&alice, "bob", RETRY);
    }
    assert_eq!(
        write(&alice),
        ["4 delivered", "1 delivered", "2 delivered", "3 delivered"]
    );
}

#[test]
fn a_send_queue_that_stays_full_is_named_at_the_deadline() {
    let limits = Limits {
        send_queue_messages: 1,
        ..Limits::default()
    };
    let (n1, n2) = (Node::new("n1"), Node::with_limits("n2", limits));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    n1.send(&alice, "bob", 2, "2");
    n1.carry_to(&n2);
    n2.flush_acks();
    n2.carry_to(&n1);
    assert_eq!(write(&bob), ["alice #1 1"]);
    n2.flush_acks();
    n2.carry_to(&n1);
    n1.retry(&alice, "bob", Limits::default().send_deadline * 2);
    assert_eq!(write(&alice), ["1 delivered", "2 queue-full"]);
}

#[test]
fn a_receiver_that_leaves_before_its_socket_took_the_message_is_offline() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    node.send(&alice, "bob", 1, "1");
    drop(bob);
    assert!(matches!(node.asked()[..], [Asked::Detach(_)]));
    node.retry(&alice, "bob", RETRY * 2);
    let (mid, to) = &node.published();
    node.router.on_published(*mid, to, Ok(0));
    node.carry_to(&node);
    assert_eq!(write(&alice), error(1, ErrorCode::PeerOffline));
}

#[test]
fn a_receiver_that_comes_back_gets_what_its_old_socket_did_not_take() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    node.send(&alice, "bob", 1, "1");
    drop(bob);
    let bob = node.attach("bob");
    node.retry(&alice, "bob", RETRY * 2);
    assert_eq!(write(&bob), ["alice #1 1"]);
    assert_eq!(write(&alice), ["1 delivered"]);
}

#[test]
fn a_sender_with_too_many_sends_under_way_is_read_no_further() {
    let limits = Limits {
        pending_messages: 2,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits.clone());
    let alice = node.attach("alice");
    assert!(alice.session().may_send_more(&limits));
    node.send(&alice, "far", 1, "1");
    node.send(&alice, "far", 2, "2");
    assert!(!alice.session().may_send_more(&limits));
    node.retry(&alice, "far", limits.send_deadline * 2);
    assert_eq!(write(&alice), ["1 timeout", "2 timeout"]);
    assert!(alice.session().may_send_more(&limits));
}

#[test]
fn bytes_that_are_no_envelope_are_dropped_and_harm_nobody() {
    let node = Node::new("n1");
    let bob = node.attach("bob");
    for bytes in [&b""[..], b"\x01", b"\x07garbage", &[0xff; 64]] {
        node.router.on_message("default/bob", Bytes::from_static(bytes));
        node.router.on_node_message(Bytes::from_static(bytes));
    }
    assert!(write(&bob).is_empty());
}
