//! Budgets: what one peer, one tenant and the node may hold, over all sessions, and who else notices.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use switchboard_protocol::{ErrorCode, MessageId, MessageKind};
use switchboard_telemetry::{BudgetScope, Telemetry};

use super::harness::*;
use crate::{
    AttachRequest, Attachment, BrokerEvents as _, Limits, SendRequest, StoreOutcome,
    limits::{account::STORED_OVERHEAD_BYTES, budgets::Budgets},
};

const WINDOW: Duration = Duration::from_secs(60);

/// A send with a payload of `bytes`.
fn sized(to: &str, id: u64, bytes: usize) -> SendRequest {
    SendRequest {
        to: key(to),
        kind: MessageKind::Offer,
        payload: Bytes::from(vec![b'1'; bytes]),
        id: MessageId::Client(id),
        hold: None,
    }
}

fn refusals(node: &Node, budget: &str, scope: &str) -> f64 {
    node.metric(&format!(
        "switchboard_budget_refusals_total{{budget=\"{budget}\",scope=\"{scope}\"}}"
    ))
}

fn held(node: &Node, name: &str) -> (usize, usize) {
    node.router.account(&key(name)).pending()
}

/// Stores as the broker would: nobody subscribes, and the offline queue answers `outcome`. Returns how many
/// messages were stored.
fn store(node: &Node, outcome: StoreOutcome) -> usize {
    let mut stored = 0;
    for asked in node.asked() {
        if let Asked::Publish(mid, to, _) = asked {
            node.router.on_published(mid, &to, Ok(0));
        }
    }
    for asked in node.asked() {
        if let Asked::Store(message) = asked {
            stored += 1;
            node.router.on_stored(message.mid, &message.to, Ok(outcome));
        }
    }
    stored
}

fn rate_limited(of: &Attachment) -> usize {
    let written = write(of);
    written
        .iter()
        .filter(|text| text.ends_with("rate-limited"))
        .count()
}

#[test]
fn the_charge_of_a_send_ends_with_its_outcome() {
    let node = Node::new("n1");
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    node.router.send(alice.session(), sized("bob", 1, 100));
    node.router.send(alice.session(), sized("bob", 2, 50));
    assert_eq!(held(&node, "alice"), (2, 150));
    write(&bob);
    assert_eq!(held(&node, "alice"), (0, 0));
}

#[test]
fn a_peer_keeps_its_charge_when_it_opens_another_session() {
    let limits = Limits {
        pending_messages: 5,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let mut sent = 0;
    for _ in 0..11 {
        let alice = node.attach("alice");
        for id in 1..=5 {
            node.router.send(alice.session(), sized("bob", id, 10));
            sent += 1;
        }
        assert_eq!(sent - rate_limited(&alice), held(&node, "alice").0.min(sent));
        sent = held(&node, "alice").0;
    }
    assert_eq!(
        held(&node, "alice").0,
        10,
        "twice the bound of one session, not eleven times"
    );
    assert!(refusals(&node, "pending", "peer") >= 40.0);
    let carol = node.attach("carol");
    node.router.send(carol.session(), sized("bob", 1, 10));
    assert_eq!(rate_limited(&carol), 0, "nobody else notices");
}

#[test]
fn a_tenants_or_the_nodes_pending_bytes_refuse_the_next_send_alone() {
    for (scope, tenant, node) in [("tenant", 4000, 0), ("node", 0, 4000)] {
        let limits = Limits {
            tenant_pending_bytes: tenant,
            node_pending_bytes: node,
            ..Limits::default()
        };
        let node = Node::with_limits("n1", limits);
        let (alice, carol) = (node.attach("alice"), node.attach("carol"));
        node.router.send(alice.session(), sized("bob", 1, 2000));
        node.router.send(carol.session(), sized("bob", 1, 2000));
        assert_eq!(write(&carol), error(1, ErrorCode::RateLimited), "{scope}");
        assert_eq!(held(&node, "carol"), (0, 0), "a refused send holds nothing");
        assert_eq!(refusals(&node, "pending", scope), 1.0);
        let (mid, to) = node.published();
        node.router.on_stored(mid, &to, Ok(StoreOutcome::Delivered));
        node.router.send(carol.session(), sized("bob", 2, 2000));
        assert_eq!(write(&carol), [""; 0], "{scope}: there is room again");
    }
}

#[test]
fn one_peer_fills_offline_queues_only_to_its_budget_whatever_the_number_of_its_sessions_and_receivers() {
    let budget = 64 * 1024;
    let limits = Limits {
        peer_stored_bytes: budget,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let (mut stored, mut refused) = (0, 0);
    for _ in 0..11 {
        let alice = node.attach("alice");
        for id in 1..=100 {
            node.router
                .send(alice.session(), sized(&format!("receiver-{id}"), id, 1024));
        }
        stored += store(&node, queued_for(WINDOW));
        refused += rate_limited(&alice);
    }
    assert_eq!(stored + refused, 1100, "each send has an answer");
    assert!(
        (40..=50).contains(&stored),
        "{stored} messages of 1.3 KiB with overhead"
    );
    let carol = node.attach("carol");
    node.router.send(carol.session(), sized("receiver-1", 1, 1024));
    assert_eq!(store(&node, queued_for(WINDOW)), 1, "another peer has its own");
    node.pass(WINDOW);
    let alice = node.attach("alice");
    node.router.send(alice.session(), sized("receiver-1", 1, 1024));
    assert_eq!(
        store(&node, queued_for(WINDOW)),
        1,
        "a window later it has leaked out"
    );
}

#[test]
fn a_message_that_was_not_stored_costs_nothing() {
    let budget = 4 * (STORED_OVERHEAD_BYTES + 2048);
    let limits = Limits {
        peer_stored_bytes: budget,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let alice = node.attach("alice");
    for outcome in [StoreOutcome::Offline, StoreOutcome::Delivered, StoreOutcome::Late] {
        for id in 1..=20 {
            node.router.send(alice.session(), sized("nobody", id, 1500));
            assert_eq!(store(&node, outcome), 1, "{outcome:?}");
        }
    }
    assert_eq!(refusals(&node, "stored", "peer"), 0.0);
}

#[test]
fn a_stored_message_is_charged_once_however_often_it_is_stored_again() {
    let node = Node::with_limits(
        "n1",
        Limits {
            peer_stored_bytes: 5000,
            ..Limits::default()
        },
    );
    let alice = node.attach("alice");
    node.router.send(alice.session(), sized("bob", 1, 1500));
    for _ in 0..20 {
        store(&node, queued_for(WINDOW));
        node.pass(Duration::from_secs(6));
        node.retry_at(&alice, "bob", Instant::now() + Duration::from_secs(6));
    }
    assert_eq!(refusals(&node, "stored", "peer"), 0.0);
}

#[test]
fn an_account_leaves_when_nobody_has_it_and_nothing_is_in_it() {
    let limits = Arc::new(Limits::default());
    let budgets = Budgets::new(&limits, &Telemetry::new("n1"));
    let now = Instant::now();
    let used = budgets.account(&key("used"), now);
    let spender = budgets.account(&key("spender"), now);
    assert!(spender.charge_stored(1 << 20, now).is_ok());
    drop(spender);
    for number in 0..10_000 {
        budgets.account(&key(&format!("p{number}")), now);
    }
    assert!(budgets.len() < 4096, "{}", budgets.len());
    let again = budgets.account(&key("spender"), now);
    assert_eq!(
        again.charge_stored(4 << 20, now),
        Err(BudgetScope::Peer),
        "its charge is still there"
    );
    assert!(Arc::ptr_eq(&used, &budgets.account(&key("used"), now)));
}

#[test]
fn places_are_bounded_per_peer_and_per_tenant_and_a_dropped_one_is_free_at_once() {
    let limits = Limits {
        connections_per_peer: 2,
        connections_per_tenant: 3,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let (alice, bob) = (
        node.router.account(&key("alice")),
        node.router.account(&key("bob")),
    );
    let first = alice.connect(None).unwrap();
    let _second = alice.connect(None).unwrap();
    assert_eq!(alice.connect(None).err(), Some(BudgetScope::Peer));
    let _third = bob.connect(None).unwrap();
    assert_eq!(bob.connect(None).err(), Some(BudgetScope::Tenant));
    drop(first);
    assert!(bob.connect(None).is_ok());
    assert_eq!(refusals(&node, "connections", "tenant"), 1.0);
}

/// Everything that reads the outcomes of `sends` sends to as many receivers, with a connection that reads only while
/// it may.
#[test]
fn sends_to_three_thousand_receivers_have_their_outcomes_without_a_pause() {
    let node = Node::new("n1");
    let alice = node.attach_as("alice", AttachRequest::default());
    let (mut id, mut outcomes) = (0, 0);
    while outcomes < 3000 {
        let mut is_read = false;
        while id < 3000 && alice.session().may_send_more(node.router.limits()) {
            is_read = true;
            id += 1;
            node.router
                .send(alice.session(), sized(&format!("r{id}"), id, 10));
        }
        store(&node, StoreOutcome::Offline);
        let written = write(&alice).len();
        assert!(
            is_read || written > 0,
            "reading stopped after {id}, and nothing wakes it"
        );
        outcomes += written;
    }
}

#[test]
fn reading_goes_on_while_sends_wait_in_offline_queues() {
    let limits = Limits {
        pending_messages: 10,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let alice = node.attach("alice");
    let mut refused = 0;
    for id in 1..=100 {
        assert!(
            alice.session().may_send_more(node.router.limits()),
            "stopped at {id}"
        );
        node.router
            .send(alice.session(), sized(&format!("r{id}"), id, 10));
        store(&node, queued_for(WINDOW));
        refused += rate_limited(&alice);
    }
    assert_eq!(refused, 80, "those over the budget have their answer at once");
}
