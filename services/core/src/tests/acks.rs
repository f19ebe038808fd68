//! Batches of acknowledgements: full ones leave at once, others soon, and each to its own node.

use std::time::Duration;

use switchboard_protocol::{Ack, AckOutcome, NodeId, NodeMessage, SessionId};

use super::harness::*;
use crate::broker::Route;
use crate::receive::acks::{Acks, BATCH, MAX_BATCHES};

fn ack(id: u64) -> Ack {
    Ack {
        session: SessionId::from_bytes([1; 12]),
        id,
        outcome: AckOutcome::Delivered,
    }
}

/// The batches that `node` has sent since the last call: to which node, and how many.
fn sent(node: &Node) -> Vec<(String, usize)> {
    let batches = node.asked().into_iter().map(|asked| {
        let Asked::ToNode(to, message) = asked else {
            panic!("not to a node: {asked:?}")
        };
        let Ok(NodeMessage::Acks(acks)) = NodeMessage::decode(&message) else {
            panic!("not acknowledgements: {message:?}")
        };
        (to.to_string(), acks.len())
    });
    batches.collect()
}

fn add(acks: &Acks, node: &Node, to: &str, id: u64) {
    let to = NodeId::new(to).unwrap();
    acks.add(&to, Route(0), ack(id), node.bus.as_ref(), node.router.telemetry());
}

#[test]
fn a_full_batch_leaves_at_once_and_the_rest_with_the_next_flush() {
    let (node, acks) = (Node::new("n1"), Acks::default());
    (1..BATCH as u64).for_each(|id| add(&acks, &node, "n2", id));
    assert_eq!(sent(&node), []);
    add(&acks, &node, "n2", 64);
    assert_eq!(sent(&node), [("n2".into(), BATCH)]);
    add(&acks, &node, "n2", 65);
    add(&acks, &node, "n3", 66);
    acks.flush(node.bus.as_ref(), node.router.telemetry());
    let mut batches = sent(&node);
    batches.sort();
    assert_eq!(batches, [("n2".into(), 1), ("n3".into(), 1)]);
    acks.flush(node.bus.as_ref(), node.router.telemetry());
    assert_eq!(sent(&node), [], "nothing is sent twice");
}

#[test]
fn nodes_are_bounded_and_what_does_not_fit_is_dropped() {
    let (node, acks) = (Node::new("n1"), Acks::default());
    (0..MAX_BATCHES).for_each(|number| add(&acks, &node, &format!("n{number}"), 1));
    add(&acks, &node, "one-more", 1);
    add(&acks, &node, "n0", 2);
    acks.flush(node.bus.as_ref(), node.router.telemetry());
    let batches = sent(&node);
    assert_eq!(batches.len(), MAX_BATCHES);
    assert!(batches.contains(&("n0".into(), 2)), "a known node needs no room");
}

#[tokio::test]
async fn an_acknowledgement_leaves_by_itself() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["alice #1 1"]);
    let run = tokio::time::timeout(Duration::from_millis(200), n2.router.run());
    assert!(run.await.is_err(), "it never completes");
    assert_eq!(sent(&n2), [("n1".into(), 1)]);
}

#[tokio::test]
async fn a_router_without_a_broker_has_nothing_to_run() {
    let router = crate::Router::new(
        NodeId::new("n1").unwrap(),
        crate::Limits::default(),
        switchboard_telemetry::Telemetry::new("n1"),
    );
    let run = tokio::time::timeout(Duration::from_secs(5), router.run());
    assert!(run.await.is_ok());
    assert_eq!(router.bus().state, crate::BusState::Connecting);
    assert_eq!(router.bus().detail, "no broker yet");
}
