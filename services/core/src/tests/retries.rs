//! When a stream's timer runs again, how much it transmits in one run, and what it holds back.

use std::{
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use switchboard_protocol::{CloseCode, ErrorCode, Event, MessageId};

use super::harness::*;
use crate::{BrokerError, BrokerEvents as _, Limits, SendRequest};

const MS: Duration = Duration::from_millis(1);

const WINDOW: Duration = Duration::from_secs(60);

#[test]
fn a_new_stream_has_its_timer_and_an_old_one_needs_no_other() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let side = node.router.sender_side();
    assert_eq!(side.next_run(), None);
    let before = Instant::now();
    node.send(&alice, "bob", 1, "1");
    let first = side.next_run();
    assert!(first.is_some_and(|at| at >= before + 150 * MS));
    node.send(&alice, "bob", 2, "1");
    assert_eq!(side.next_run(), first);
}

#[test]
fn a_stream_runs_again_soon_when_it_is_held_and_later_when_it_is_not() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let now = Instant::now();
    assert_eq!(node.retry_at(&alice, "bob", now), Some(now + 150 * MS));
    *node.bus.is_down.lock() = true;
    let later = now + 1000 * MS;
    assert_eq!(node.retry_at(&alice, "bob", later), Some(later + 20 * MS));
}

#[test]
fn a_queued_stream_sleeps_until_something_is_due_and_runs_at_that_instant() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    node.router.on_stored(mid, &to, Ok(queued_for(WINDOW)));
    let now = Instant::now();
    let next = node.retry_at(&alice, "bob", now).unwrap();
    assert!(next > now + 4000 * MS, "{:?}", next - now);
    assert!(node.asked().is_empty());
    assert_eq!(node.retry_at(&alice, "bob", next), Some(next + 150 * MS));
    assert_eq!(node.asked().len(), 1);
}

/// A node whose bus is rebuilt misses the hint: messages that are stored for its peers must not wait until the sends behind it
/// have timed out.
#[test]
fn a_message_stored_for_an_attached_receiver_is_transmitted_again_before_those_behind_it_time_out() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let second = 1000 * MS;
    let mut now = Instant::now();
    for _ in 0..2 {
        node.published();
        now += second;
        node.retry_at(&alice, "bob", now);
    }
    for (what, at_least, at_most) in [
        ("its node missed the hint", Duration::ZERO, second),
        ("the receiver is detached after all", 4 * second, 5 * second),
    ] {
        let (mid, to) = node.published();
        let before = Instant::now();
        node.router.on_stored(mid, &to, Ok(queued_for(WINDOW)));
        let next = node.retry_at(&alice, "bob", before).unwrap();
        let margin = before.elapsed();
        assert!((at_least..=at_most + margin).contains(&(next - before)), "{what}");
        node.retry_at(&alice, "bob", next);
    }
    let receipt = r#"{"type":"receipt","id":1,"status":"queued"}"#;
    assert_eq!(write(&alice), [receipt], "said once");
}

#[test]
fn one_run_transmits_so_many_and_leaves_the_rest_to_the_next() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    *node.bus.is_down.lock() = true;
    (1..=100).for_each(|id| node.send(&alice, "bob", id, "1"));
    *node.bus.is_down.lock() = false;
    let now = Instant::now();
    assert_eq!(
        node.retry_at(&alice, "bob", now),
        Some(now + 20 * MS),
        "it is not done"
    );
    assert_eq!(node.asked().len(), 64);
    let next = now + 20 * MS;
    assert_eq!(node.retry_at(&alice, "bob", next), Some(next + 150 * MS));
    assert_eq!(node.asked().len(), 36);
}

#[test]
fn a_send_waits_behind_a_held_one_even_if_the_bus_is_back() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    *node.bus.is_down.lock() = true;
    node.send(&alice, "bob", 1, "1");
    *node.bus.is_down.lock() = false;
    node.send(&alice, "bob", 2, "2");
    assert!(node.asked().is_empty());
    node.retry(&alice, "bob", Duration::ZERO);
    assert_eq!(node.asked().len(), 2);
}

#[test]
fn a_failed_publish_holds_the_send_and_is_named_at_the_deadline() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    node.router.on_published(mid, &to, Err(BrokerError::Refused));
    node.send(&alice, "bob", 2, "2");
    assert!(node.asked().is_empty(), "it waits behind the first");
    node.retry(&alice, "bob", Limits::default().send_deadline * 2);
    assert_eq!(write(&alice), ["1 bus-unavailable", "2 timeout"]);
    let unnumbered = SendRequest {
        id: MessageId::Node(1),
        ..offer("bob", 1, "1")
    };
    node.router.send(alice.session(), unnumbered);
    let (mid, to) = node.published();
    node.router.on_published(mid, &to, Err(BrokerError::Refused));
    assert_eq!(write(&alice), [format!("- {}", ErrorCode::BusUnavailable)]);
}

#[test]
fn a_client_that_refuses_a_late_message_ends_the_send_with_a_timeout() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    (1..=3).for_each(|id| node.send(&alice, "bob", id, "1"));
    assert_eq!(take(&bob).len(), 3);
    node.router.refused(bob.session(), 2);
    assert_eq!(write(&alice), ["1 delivered", "2 timeout"]);
    node.router.done(bob.session(), 3);
    assert_eq!(write(&alice), ["3 delivered"]);
}

#[test]
fn a_session_says_which_message_is_stuck_and_when_its_answers_pile_up() {
    let limits = Limits {
        send_queue_messages: 1,
        pending_messages: 2,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits.clone());
    assert_eq!(node.router.limits().send_queue_messages, 1);
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    for id in 1..=2 {
        node.send(&alice, "bob", id, "1");
        assert_eq!(take(&bob).len(), 1);
        assert_eq!(bob.session().stuck_at(&limits), Some(id));
        node.router.done(bob.session(), id);
        assert_eq!(bob.session().stuck_at(&limits), None);
    }
    let pong = || Event::Pong { id: None, time_ms: 1 };
    bob.session().push_event(pong());
    assert!(bob.session().may_send_more(&limits));
    bob.session().push_event(pong());
    assert!(!bob.session().may_send_more(&limits), "two answers wait");
}

#[test]
fn the_connection_is_woken_by_a_message_an_event_a_probe_and_a_close() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    let counter = Arc::<CountingWaker>::default();
    let waker = Waker::from(Arc::clone(&counter));
    let session = bob.session();
    let causes: [&dyn Fn(); 4] = [
        &|| node.send(&alice, "bob", 1, "1"),
        &|| session.push_event(Event::Pong { id: None, time_ms: 1 }),
        &|| session.probe(),
        &|| session.close(CloseCode::Normal),
    ];
    for (number, cause) in causes.iter().enumerate() {
        while session.poll_next(&mut Context::from_waker(&waker)).is_ready() {}
        cause();
        assert_eq!(counter.count(), number + 1);
    }
}
