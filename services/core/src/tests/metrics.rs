//! The counters on the way of a message, and the outcome of each report of the broker.

use std::time::Duration;

use switchboard_protocol::{ErrorCode, MessageId};

use super::harness::*;
use crate::{AttachRequest, BrokerEvents as _, Limits, SendRequest, StoreOutcome};

const WINDOW: Duration = Duration::from_secs(60);

const SECOND: Duration = Duration::from_secs(1);

fn pending(node: &Node) -> f64 {
    node.metric("switchboard_pending_sends")
}

#[test]
fn pending_sends_rise_with_a_send_and_fall_with_its_outcome() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    node.send(&alice, "bob", 1, "1");
    node.send(&alice, "bob", 2, "2");
    assert_eq!(pending(&node), 2.0);
    write(&bob);
    assert_eq!(pending(&node), 0.0);
    write(&bob);
    assert_eq!(pending(&node), 0.0);
}

#[test]
fn queued_sends_of_a_sender_that_is_gone_are_no_longer_pending() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    for id in 1..=3 {
        node.send(&alice, "bob", id, "1");
        let (mid, to) = node.published();
        if id < 3 {
            node.router.on_stored(mid, &to, Ok(queued_for(WINDOW)));
        }
    }
    assert_eq!(node.metric("switchboard_messages_queued_total"), 2.0);
    assert_eq!(pending(&node), 3.0);
    drop(alice);
    assert_eq!(pending(&node), 1.0, "the third one may still be delivered");
}

#[test]
fn a_session_is_forgotten_with_its_last_send() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let session = alice.session().id();
    let is_known = || node.router.context().registry.session(session).is_some();
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    drop(alice);
    assert!(is_known(), "its last send is under way");
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Offline));
    assert!(!is_known());
    assert_eq!(pending(&node), 0.0);
    let idle = node.attach("alice");
    let session = idle.session().id();
    drop(idle);
    assert!(node.router.context().registry.session(session).is_none());
}

#[test]
fn a_session_is_forgotten_when_its_last_send_ends_at_its_deadline() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let session = std::sync::Arc::clone(alice.session());
    node.send(&alice, "bob", 1, "1");
    drop(alice);
    let late = std::time::Instant::now() + Limits::default().send_deadline;
    let next = node
        .router
        .sender_side()
        .retry_stream(&*session, &key("bob"), late);
    assert_eq!(next, None);
    assert!(node.router.context().registry.session(session.id()).is_none());
}

#[test]
fn outcomes_are_counted_by_path() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob, carol) = (n1.attach("alice"), n2.attach("bob"), n1.attach("carol"));
    n1.send(&alice, "carol", 1, "1");
    write(&carol);
    n1.send(&alice, "bob", 2, "2");
    n1.carry_to(&n2);
    write(&bob);
    n2.flush_acks();
    n2.carry_to(&n1);
    for path in ["local", "remote"] {
        let name = format!("switchboard_delivery_duration_seconds_count{{path=\"{path}\"}}");
        assert_eq!(n1.metric(&name), 1.0, "{path}");
    }
}

#[test]
fn retransmissions_duplicates_and_gaps_are_counted() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    n1.carry_to(&n2);
    assert_eq!(n1.metric("switchboard_retransmissions_total"), 0.0);
    n1.retry(&alice, "bob", SECOND);
    assert_eq!(n1.metric("switchboard_retransmissions_total"), 1.0);
    n1.carry_to(&n2);
    assert_eq!(n2.metric("switchboard_duplicates_dropped_total"), 1.0);
    n1.send(&alice, "bob", 2, "2");
    assert_eq!(n1.asked().len(), 1, "… and lost");
    n1.send(&alice, "bob", 3, "3");
    n1.carry_to(&n2);
    assert_eq!(n2.metric("switchboard_order_gaps_total"), 1.0);
    assert_eq!(write(&bob), ["alice #1 1"]);
}

#[test]
fn an_overflow_is_counted_on_either_side() {
    let limits = || Limits {
        send_queue_messages: 1,
        ..Limits::default()
    };
    let overflows = |node: &Node| node.metric(r#"switchboard_queue_overflows_total{queue="send-queue"}"#);
    let node = Node::with_limits("n1", limits());
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    node.send(&alice, "bob", 1, "1");
    node.send(&alice, "bob", 2, "2");
    assert_eq!(overflows(&node), 1.0);
    let unnumbered = SendRequest {
        id: MessageId::Node(1),
        ..offer("bob", 1, "1")
    };
    node.router.send(alice.session(), unnumbered);
    assert_eq!(overflows(&node), 2.0);
    assert_eq!(write(&alice), ["- queue-full"]);
    drop(bob);
    let (n1, n2) = (Node::new("n1"), Node::with_limits("n2", limits()));
    let (alice, _bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    n1.send(&alice, "bob", 2, "2");
    n1.carry_to(&n2);
    assert_eq!(overflows(&n2), 1.0);
    n2.flush_acks();
    n2.carry_to(&n1);
    n1.retry(&alice, "bob", Limits::default().send_deadline);
    assert_eq!(
        write(&alice),
        ["1 timeout", "2 queue-full"],
        "each by its own cause"
    );
}

#[test]
fn a_full_offline_queue_holds_the_send_and_is_named_at_the_deadline() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Full));
    node.send(&alice, "bob", 2, "2");
    assert!(node.asked().is_empty(), "those behind it wait");
    let deadline = Limits::default().send_deadline;
    node.retry(&alice, "bob", deadline * 2);
    assert_eq!(write(&alice), ["1 queue-full", "2 timeout"]);
}

#[test]
fn each_answer_of_the_offline_queue_has_its_outcome() {
    let cases = [
        (StoreOutcome::Delivered, "1 delivered"),
        (StoreOutcome::Late, "1 timeout"),
        (StoreOutcome::Offline, "1 peer-offline"),
    ];
    for (outcome, expected) in cases {
        let node = Node::new("n1");
        let alice = node.attach("alice");
        node.send(&alice, "bob", 1, "1");
        let (mid, to) = node.published();
        node.router.on_stored(mid, &to, Ok(outcome));
        assert_eq!(write(&alice), [expected]);
    }
    for outcome in [StoreOutcome::Attached, StoreOutcome::Gap] {
        let node = Node::new("n1");
        let alice = node.attach("alice");
        node.send(&alice, "bob", 1, "1");
        let (mid, to) = node.published();
        node.router.on_stored(mid, &to, Ok(outcome));
        assert_eq!(write(&alice), [""; 0], "{outcome:?}");
        node.retry(&alice, "bob", SECOND);
        assert_eq!(node.asked().len(), 1, "{outcome:?}: transmitted again");
    }
}

#[test]
fn a_peer_that_has_attached_here_in_the_meantime_is_not_offline() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    let bob = node.attach("bob");
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Offline));
    node.router
        .on_located(crate::Asker::Send(mid), &to, Ok(crate::Located::OFFLINE));
    assert_eq!(write(&alice), [""; 0]);
    node.retry(&alice, "bob", SECOND);
    assert_eq!(write(&bob), ["alice #1 1"]);
}

#[test]
fn the_send_queues_of_all_sessions_are_added_up_on_demand() {
    let node = Node::new("n1");
    let (alice, _bob) = (node.attach("alice"), node.attach("bob"));
    node.send(&alice, "bob", 1, "12345");
    node.send(&alice, "alice", 2, "123");
    node.router.update_gauges();
    assert_eq!(node.metric("switchboard_send_queue_bytes"), 8.0);
}

#[test]
fn an_event_of_the_bus_for_no_sender_harms_nobody() {
    let node = Node::new("n1");
    let alice = node.attach_as("alice", AttachRequest::default());
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Delivered));
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Late));
    node.router.on_stored(mid, &to, Ok(queued_for(WINDOW)));
    node.router.on_published(mid, &to, Ok(0));
    assert!(node.asked().is_empty(), "it ended, so nothing is stored");
    assert_eq!(write(&alice), ["1 delivered"]);
    assert_eq!(node.metric("switchboard_messages_queued_total"), 0.0);
    let unnumbered = switchboard_protocol::Mid {
        id: MessageId::Node(1),
        ..mid
    };
    let detached = crate::Located {
        presence: crate::Presence::Detached,
        ..crate::Located::OFFLINE
    };
    node.router
        .on_located(crate::Asker::Send(unnumbered), &to, Ok(detached));
    assert_eq!(write(&alice), [""; 0]);
    node.router.on_located(
        crate::Asker::Send(unnumbered),
        &to,
        Err(crate::BrokerError::Refused),
    );
    assert_eq!(write(&alice), [format!("- {}", ErrorCode::BusUnavailable)]);
}

#[test]
fn a_full_offline_queue_is_counted_as_one() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let overflows =
        |queue: &str| node.metric(&format!("switchboard_queue_overflows_total{{queue=\"{queue}\"}}"));
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Full));
    assert_eq!((overflows("offline-queue"), overflows("send-queue")), (1.0, 0.0));
}
