//! Delivery to receivers that fail in all ways: each event at least once, those of a peer in order, no peer delayed by
//! another one.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Node, SECRET, assert_order, config, endpoint, number, ok};
use switchboard_broker::MemoryBus;
use switchboard_core::Replay;
use switchboard_harness::{PATIENCE, Port, Received, Reply, WebhookReceiver, wait_until};
use switchboard_protocol::{Secret, TenantId};
use switchboard_webhooks::{EndpointConfig, EventKind, SigningSecret, WebhooksConfig, sign};

const PEERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn emit(node: &Node, numbers: std::ops::RangeInclusive<u8>) {
    for number in numbers {
        for peer in PEERS {
            node.detached(peer, number);
        }
    }
}

#[tokio::test]
async fn an_event_arrives_signed_with_its_type_and_data() {
    let receiver = WebhookReceiver::start(ok).await.unwrap();
    let node = Node::start(
        &MemoryBus::default(),
        "n1",
        config([endpoint("app", receiver.address())]),
    );
    node.detached("bob", 1);
    let [request] = &receiver.take(1, PATIENCE).await.unwrap()[..] else {
        unreachable!("one event was emitted");
    };
    assert_eq!(request.header("content-type"), "application/json");
    let body = request.json();
    assert_eq!(
        (&body["type"], &body["data"]["tenant"]),
        (&"peer.detached".into(), &"acme".into())
    );
    let secret = SigningSecret::parse(&Secret::new(SECRET)).unwrap();
    let at_s = request.header("webhook-timestamp").parse().unwrap();
    let signature = sign(&[secret], request.header("webhook-id"), at_s, &request.body);
    assert_eq!(request.header("webhook-signature"), signature);
}

#[tokio::test]
async fn a_receiver_that_fails_at_random_gets_every_event_and_each_peer_in_order() {
    let seen = AtomicUsize::new(0);
    let receiver = WebhookReceiver::start(move |request: &Received| {
        let seen = seen.fetch_add(1, Ordering::Relaxed);
        match seen % 3 {
            0 => Reply::status(503),
            // Two answers of this kind to one event, at most.
            1 if seen < 90 && number(request).is_multiple_of(2) => Reply::status(500),
            _ => ok(request),
        }
    })
    .await
    .unwrap();
    let rules = WebhooksConfig {
        refusals: 1_000,
        ..config([endpoint("app", receiver.address())])
    };
    let node = Node::start(&MemoryBus::default(), "n1", rules);
    emit(&node, 1..=30);
    assert_order(&receiver.take(120, PATIENCE).await.unwrap(), &PEERS, 30);
    node.until_metric("switchboard_webhook_events_total", 120).await;
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_what_happened_meanwhile_and_few_requests_are_wasted() {
    let port = Port::reserve().unwrap();
    let address = format!("127.0.0.1:{}", port.number()).parse().unwrap();
    let node = Node::start(&MemoryBus::default(), "n1", config([endpoint("app", address)]));
    emit(&node, 1..=10);
    node.until_metric(r#"switchboard_webhook_requests_total{outcome="unreachable"}"#, 20)
        .await;
    // One request at a time finds out that it is down, whatever waits.
    drop(port);
    let receiver = WebhookReceiver::start_at(address, ok).await.unwrap();
    emit(&node, 11..=12);
    assert_order(&receiver.take(48, PATIENCE).await.unwrap(), &PEERS, 12);
}

#[tokio::test]
async fn a_refused_event_delays_its_own_peer_alone_and_can_be_replayed_when_it_is_dead() {
    let is_repaired = Arc::new(AtomicBool::new(false));
    let repaired = Arc::clone(&is_repaired);
    let receiver = WebhookReceiver::start(move |request: &Received| {
        let is_bad = request.data("peer") == "bob" && number(request) == 2;
        if is_bad && !repaired.load(Ordering::Relaxed) {
            return Reply::status(400);
        }
        ok(request)
    })
    .await
    .unwrap();
    let node = Node::start(
        &MemoryBus::default(),
        "n1",
        config([endpoint("app", receiver.address())]),
    );
    emit(&node, 1..=3);
    let taken = receiver.take(11, PATIENCE).await.unwrap();
    assert_order(&taken, &["alice", "carol", "dave"], 3);
    let bobs: Vec<_> = taken
        .iter()
        .filter(|request| request.data("peer") == "bob")
        .map(number)
        .collect();
    assert_eq!(bobs, [1, 3]);
    let dead = node.webhooks.dead("app", 10).await.unwrap().unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].reason, "refused 3 times, at last with HTTP 400");
    node.until_metric("switchboard_webhook_events_given_up_total", 1)
        .await;
    is_repaired.store(true, Ordering::Relaxed);
    assert_eq!(
        node.webhooks.replay("app", Replay::Oldest(10)).await.unwrap(),
        Ok(1)
    );
    let replayed = receiver.take(12, PATIENCE).await.unwrap().pop().unwrap();
    assert_eq!(replayed.header("webhook-id"), dead[0].event.id);
    assert!(node.webhooks.dead("other", 1).await.is_err());
}

#[tokio::test]
async fn an_event_that_is_too_old_is_given_up_when_its_receiver_is_away() {
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(502))
        .await
        .unwrap();
    let rules = WebhooksConfig {
        retry_for: Duration::from_millis(50),
        ..config([endpoint("app", receiver.address())])
    };
    let node = Node::start(&MemoryBus::default(), "n1", rules);
    node.detached("bob", 1);
    node.until_metric("switchboard_webhook_events_given_up_total", 1)
        .await;
    let dead = node.webhooks.dead("app", 1).await.unwrap().unwrap();
    assert_eq!(
        dead[0].reason,
        "older than webhooks.retry_for_s, at last: HTTP 502"
    );
}

#[tokio::test]
async fn an_event_that_waited_too_long_is_still_delivered_to_a_receiver_that_is_back() {
    let is_back = Arc::new(AtomicBool::new(false));
    let back = Arc::clone(&is_back);
    let receiver = WebhookReceiver::start(move |request: &Received| match back.load(Ordering::Relaxed) {
        true => ok(request),
        false => Reply {
            header: Some(("retry-after", "1".into())),
            ..Reply::status(503)
        },
    })
    .await
    .unwrap();
    let rules = WebhooksConfig {
        retry_for: Duration::from_millis(300),
        ..config([endpoint("app", receiver.address())])
    };
    let node = Node::start(&MemoryBus::default(), "n1", rules);
    let began = Instant::now();
    node.detached("bob", 1);
    node.until_metric(r#"switchboard_webhook_requests_total{outcome="unreachable"}"#, 1)
        .await;
    is_back.store(true, Ordering::Relaxed);
    assert_order(&receiver.take(1, PATIENCE).await.unwrap(), &["bob"], 1);
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "Retry-After was not respected"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = WebhookReceiver::start(ok).await.unwrap();
    let target = format!("http://{}/", elsewhere.address());
    let receiver = WebhookReceiver::start(move |_: &Received| Reply {
        header: Some(("location", target.clone())),
        ..Reply::status(307)
    })
    .await
    .unwrap();
    let node = Node::start(
        &MemoryBus::default(),
        "n1",
        config([endpoint("app", receiver.address())]),
    );
    node.detached("bob", 1);
    node.until_metric("switchboard_webhook_events_given_up_total", 1)
        .await;
    assert!(elsewhere.taken().is_empty());
}

#[tokio::test]
async fn each_endpoint_gets_its_events_and_a_dead_one_delays_no_other() {
    let (all, wanted) = (
        WebhookReceiver::start(ok).await.unwrap(),
        WebhookReceiver::start(ok).await.unwrap(),
    );
    let port = Port::reserve().unwrap();
    let dead = format!("127.0.0.1:{}", port.number()).parse().unwrap();
    let some = EndpointConfig {
        events: vec![EventKind::PeerWanted],
        ..endpoint("wanted", wanted.address())
    };
    let foreign = EndpointConfig {
        tenants: vec![TenantId::new("other").unwrap()],
        ..endpoint("foreign", wanted.address())
    };
    let endpoints = [
        endpoint("dead", dead),
        endpoint("all", all.address()),
        some,
        foreign,
    ];
    let node = Node::start(&MemoryBus::default(), "n1", config(endpoints));
    node.detached("bob", 1);
    node.wanted("bob");
    all.take(2, PATIENCE).await.unwrap();
    let [only] = &wanted.take(1, PATIENCE).await.unwrap()[..] else {
        unreachable!("one event is wanted");
    };
    assert_eq!(only.json()["type"], "peer.wanted");
    assert_eq!(only.json()["data"]["by"], "caller");
    let status = async || {
        let status = node.webhooks.status();
        let waiting = status.iter().map(|status| status.backlog.events);
        (waiting.collect::<Vec<_>>() == [2, 0, 0, 0]).then_some(())
    };
    wait_until("the backlog is known", PATIENCE, status)
        .await
        .unwrap();
}

#[tokio::test]
async fn peer_wanted_comes_once_a_second_for_one_peer() {
    let receiver = WebhookReceiver::start(ok).await.unwrap();
    let node = Node::start(
        &MemoryBus::default(),
        "n1",
        config([endpoint("app", receiver.address())]),
    );
    let began = Instant::now();
    for _ in 0..50 {
        node.wanted("bob");
    }
    node.wanted("eve");
    receiver.take(2, PATIENCE).await.unwrap();
    let again = async || {
        node.wanted("bob");
        (receiver.taken().len() > 2).then_some(())
    };
    wait_until("bob is wanted again", PATIENCE, again).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_node_that_ends_leaves_its_events_to_the_others_in_order() {
    let is_open = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&is_open);
    let receiver = WebhookReceiver::start(move |request: &Received| match open.load(Ordering::Relaxed) {
        true => ok(request),
        false => Reply::status(503),
    })
    .await
    .unwrap();
    let bus = MemoryBus::default();
    let rules = || config([endpoint("app", receiver.address())]);
    let (first, second) = (Node::start(&bus, "n1", rules()), Node::start(&bus, "n2", rules()));
    emit(&first, 1..=20);
    // All of it is pending for the first node, which ends.
    first
        .until_metric(r#"switchboard_webhook_requests_total{outcome="unreachable"}"#, 3)
        .await;
    first.webhooks.shutdown().await;
    emit(&second, 21..=30);
    is_open.store(true, Ordering::Relaxed);
    assert_order(&receiver.take(120, PATIENCE).await.unwrap(), &PEERS, 30);
}
