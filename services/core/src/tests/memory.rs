//! A node near its memory budget: newcomers are refused first, then those who hold most lose it, and others nothing.

use std::time::Duration;

use bytes::Bytes;
use switchboard_protocol::{MessageId, MessageKind};

use super::harness::*;
use crate::{Attachment, Limits, SendRequest};

const MIB: u64 = 1024 * 1024;

fn node() -> Node {
    Node::with_limits(
        "n1",
        Limits {
            memory_bytes: 100 * MIB,
            ..Limits::default()
        },
    )
}

fn send(node: &Node, from: &Attachment, to: &str, id: u64, bytes: usize) {
    let request = SendRequest {
        to: key(to),
        kind: MessageKind::Message,
        payload: Bytes::from(vec![b'1'; bytes]),
        id: MessageId::Client(id),
        hold: None,
    };
    node.router.send(from.session(), request);
}

fn pressure(node: &Node) -> f64 {
    node.metric("switchboard_memory_pressure")
}

#[test]
fn newcomers_are_refused_from_the_first_mark_until_memory_is_well_below_it() {
    let node = node();
    let mut seen = Vec::new();
    for mib in [79, 81, 78, 76, 74] {
        node.router.observe_memory(mib * MIB);
        seen.push((node.router.is_short_of_memory(), pressure(&node)));
    }
    let (enough, short) = ((false, 0.0), (true, 1.0));
    assert_eq!(seen, [enough, short, short, short, enough]);
}

#[test]
fn a_node_without_a_budget_never_refuses() {
    let node = Node::new("n1");
    node.router.observe_memory(u64::MAX);
    assert!(!node.router.is_short_of_memory());
}

#[test]
fn above_the_second_mark_those_who_hold_most_lose_their_sends_and_others_keep_theirs() {
    let node = node();
    let (mallory, alice) = (node.attach("mallory"), node.attach("alice"));
    send(&node, &alice, "nobody", 1, 1000);
    (1..=10).for_each(|id| send(&node, &mallory, "nobody", id, 20_000));
    node.router.observe_memory(91 * MIB);
    let ended = write(&mallory);
    assert_eq!(ended.len(), 10);
    assert!(
        ended.iter().all(|text| text.ends_with("rate-limited")),
        "{ended:?}"
    );
    assert_eq!(write(&alice), [""; 0], "a small sender is left alone");
    assert_eq!(node.router.account(&key("mallory")).pending(), (0, 0));
    assert_eq!(node.metric("switchboard_memory_shed_total{what=\"send\"}"), 10.0);
    assert_eq!(pressure(&node), 2.0);
}

#[test]
fn then_the_connections_with_the_largest_send_queues_close_and_their_messages_return_to_the_senders() {
    let node = node();
    let (slow, quick) = (node.attach("slow"), node.attach("quick"));
    let senders: Vec<_> = (0..4)
        .map(|number| node.attach(&format!("sender-{number}")))
        .collect();
    for sender in &senders {
        send(&node, sender, "slow", 1, 40_000);
        send(&node, sender, "quick", 2, 100);
    }
    node.router.observe_memory(95 * MIB);
    assert_eq!(slow.session().send_queue_bytes(), 0, "its memory is free at once");
    assert_eq!(write(&slow), ["close 4508"]);
    assert_eq!(write(&quick).len(), 4, "a connection that holds little stays");
    assert_eq!(
        node.metric("switchboard_memory_shed_total{what=\"connection\"}"),
        1.0
    );
    drop(slow);
    for sender in &senders {
        assert_eq!(
            write(sender),
            ["2 delivered"],
            "the other send waits for the receiver's return"
        );
    }
}

#[test]
fn more_is_given_up_only_when_the_allocator_had_time_to_return_the_memory() {
    let node = node();
    let mallory = node.attach("mallory");
    (1..=10).for_each(|id| send(&node, &mallory, "nobody", id, 20_000));
    node.router.observe_memory(91 * MIB);
    assert_eq!(write(&mallory).len(), 10);
    (11..=20).for_each(|id| send(&node, &mallory, "nobody", id, 20_000));
    node.router.observe_memory(91 * MIB);
    assert_eq!(write(&mallory).len(), 0);
    node.pass(Duration::from_secs(10));
    node.router.observe_memory(91 * MIB);
    assert_eq!(write(&mallory).len(), 10);
}
