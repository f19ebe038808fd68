//! Sends that wait for a receiver without a session: what the broker is asked, until when their sender waits, and how they
//! end.

use std::{num::NonZeroU32, time::Duration};

use switchboard_protocol::{ErrorCode, GrantLimits, MessageId, Mid, PeerKey};

use super::harness::*;
use crate::{
    Attachment, BrokerError, BrokerEvents as _, Limits, RaisedLimits, SendRequest, StoreOutcome,
    StoredMessage,
};

const HOLD: Duration = Duration::from_secs(30);

const SECOND: Duration = Duration::from_secs(1);

/// Sends from alice to bob, who is nowhere; returns what the broker is asked to store.
fn send_held(node: &Node, alice: &Attachment, id: u64) -> StoredMessage {
    let hold = Some(HOLD);
    let request = SendRequest {
        hold,
        ..offer("bob", id, "1")
    };
    node.router.send(alice.session(), request);
    let (mid, to) = node.published();
    not_found(node, mid, &to)
}

/// Nobody subscribes to the receiver's channel.
fn not_found(node: &Node, mid: Mid, to: &PeerKey) -> StoredMessage {
    node.router.on_published(mid, to, Ok(0));
    let asked = node.asked();
    let [Asked::Store(message)] = &asked[..] else {
        panic!("not one store: {asked:?}");
    };
    message.clone()
}

fn stored(node: &Node, message: &StoredMessage, outcome: Result<StoreOutcome, BrokerError>) {
    node.router.on_stored(message.mid, &message.to, outcome);
}

/// Transmits due sends again after that time; returns the message to store, if any.
fn again(node: &Node, alice: &Attachment, after: Duration) -> Option<StoredMessage> {
    node.pass(after);
    node.retry_at(alice, "bob", node.router.context().now());
    let asked = node.asked();
    let [Asked::Publish(mid, to, _)] = &asked[..] else {
        assert!(asked.is_empty(), "{asked:?}");
        return None;
    };
    Some(not_found(node, *mid, to))
}

#[test]
fn the_broker_is_asked_to_hold_a_message_for_the_rest_of_its_time() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let message = send_held(&node, &alice, 1);
    let hold = message.hold.unwrap();
    assert!(hold.time <= HOLD && hold.time > HOLD - SECOND);
    assert_eq!(hold.tenant_bytes, Limits::default().tenant_held_bytes);
    assert!(message.is_first);
    stored(&node, &message, Ok(queued_for(HOLD)));
    assert_eq!(write(&alice), [r#"{"type":"receipt","id":1,"status":"queued"}"#]);
    let again = again(&node, &alice, 20 * SECOND).unwrap();
    let left = again.hold.unwrap().time;
    assert!(
        left <= HOLD - 20 * SECOND && left > HOLD - 21 * SECOND,
        "{left:?}"
    );
    assert!(!again.is_first, "nobody is woken up for it again");
}

#[test]
fn a_token_claims_what_its_tenant_may_hold_within_the_operators_bound() {
    let raised = RaisedLimits {
        tenant_held_bytes: 5_000,
        ..RaisedLimits::default()
    };
    let limits = Limits {
        tenant_held_bytes: 1_000,
        raised,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let alice = node.attach("alice");
    for (id, (claimed, in_force)) in [(None, 1_000), (Some(300), 300), (Some(9_000), 5_000)]
        .into_iter()
        .enumerate()
    {
        let claim = claimed.map(|bytes| GrantLimits {
            tenant_held_bytes: NonZeroU32::new(bytes),
            ..GrantLimits::default()
        });
        alice.session().account().apply(claim.as_ref());
        let message = send_held(&node, &alice, id as u64 + 1);
        assert_eq!(message.hold.map(|hold| hold.tenant_bytes), Some(in_force));
        stored(&node, &message, Ok(StoreOutcome::TenantFull));
        node.asked();
    }
}

#[test]
fn a_send_without_a_hold_asks_for_none() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    let message = not_found(&node, mid, &to);
    assert_eq!(message.hold, None);
    stored(&node, &message, Ok(StoreOutcome::Offline));
    assert_eq!(write(&alice), error(1, ErrorCode::PeerOffline));
}

#[test]
fn a_held_send_ends_in_delivered_or_at_the_end_of_its_time_in_expired() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    for id in [1, 2] {
        let message = send_held(&node, &alice, id);
        stored(&node, &message, Ok(queued_for(HOLD)));
    }
    let session = alice.session().id();
    let ack = switchboard_protocol::NodeMessage::Acks(vec![switchboard_protocol::Ack {
        session,
        id: 1,
        outcome: switchboard_protocol::AckOutcome::Delivered,
    }]);
    write(&alice);
    node.router.on_node_message(ack.encode().into());
    assert_eq!(write(&alice), ["1 delivered"]);
    let mut passed = Duration::ZERO;
    while passed < HOLD {
        passed += 4 * SECOND;
        if let Some(message) = again(&node, &alice, 4 * SECOND) {
            match message.hold {
                Some(hold) => stored(&node, &message, Ok(queued_for(hold.time))),
                None => stored(&node, &message, Ok(StoreOutcome::Offline)),
            }
        }
    }
    again(&node, &alice, 6 * SECOND);
    assert_eq!(write(&alice), error(2, ErrorCode::Expired));
}

#[test]
fn a_short_report_does_not_end_a_hold() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let message = send_held(&node, &alice, 1);
    // The receiver came, and its session ends in a second; the hold goes on.
    stored(&node, &message, Ok(queued_for(SECOND)));
    write(&alice);
    again(&node, &alice, 20 * SECOND);
    assert_eq!(write(&alice), [""; 0]);
}

#[test]
fn a_tenant_that_holds_too_much_is_refused_at_once_and_costs_nothing() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let message = send_held(&node, &alice, 1);
    stored(&node, &message, Ok(StoreOutcome::TenantFull));
    assert_eq!(write(&alice), error(1, ErrorCode::QueueFull));
    let refusals = "switchboard_budget_refusals_total{budget=\"held\",scope=\"tenant\"}";
    assert_eq!(node.metric(refusals), 1.0);
    let full = Limits {
        peer_stored_bytes: 1_000,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", full);
    let alice = node.attach("alice");
    for id in 1..10 {
        let message = send_held(&node, &alice, id);
        stored(&node, &message, Ok(StoreOutcome::TenantFull));
        assert_eq!(write(&alice), error(id, ErrorCode::QueueFull), "not rate-limited");
    }
}

#[test]
fn a_message_that_was_queued_expires_if_it_cannot_be_held_again() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let message = send_held(&node, &alice, 1);
    stored(&node, &message, Ok(queued_for(HOLD)));
    write(&alice);
    // Redis lost everything, and others filled the tenant's budget.
    let again = again(&node, &alice, 6 * SECOND).unwrap();
    stored(&node, &again, Ok(StoreOutcome::TenantFull));
    assert_eq!(write(&alice), error(1, ErrorCode::Expired));
}

#[test]
fn a_hold_is_over_before_it_is_asked_for_if_the_bus_was_away_so_long() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let hold = Some(SECOND);
    let request = SendRequest {
        hold,
        ..offer("bob", 1, "1")
    };
    node.router.send(alice.session(), request);
    let (mid, to) = node.published();
    node.pass(2 * SECOND);
    let message = not_found(&node, mid, &to);
    assert_eq!(message.hold, None);
    assert!(matches!(message.mid.id, MessageId::Client(1)));
}

#[test]
fn one_outbox_keeps_its_order_whatever_waits() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let first = send_held(&node, &alice, 1);
    stored(&node, &first, Ok(queued_for(HOLD)));
    let second = send_held(&node, &alice, 2);
    assert_eq!((first.prev, second.prev), (None, Some(1)));
}
