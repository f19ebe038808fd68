//! Messages to a peer that is offline: they wait, and the next connection of the peer gets them, on any node. Real nodes, a
//! real Redis, and the faults that may come between.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_client::{Client, SendReport, Session, SessionEvent, SessionOptions};
use switchboard_protocol::{ErrorCode, MessageKind, SendOutcome, ServerFrame};
use switchboard_testkit::{Cluster, PATIENCE, payload, token};
use tokio::{sync::mpsc, time::timeout};

/// After so long the callee connects.
const ABSENT: Duration = Duration::from_secs(3);

const HOLD: Duration = Duration::from_secs(20);

/// Sessions notice the death of their node quickly.
const QUICK_PINGS: &str = "[session]\nheartbeat_ms = 1000\n";

/// Alice's session, which connects to the nodes in turn, from the one at `first`.
async fn alice(cluster: &Cluster, first: usize) -> (Session, mpsc::Receiver<SessionEvent>) {
    let options = SessionOptions::new(cluster.urls_from(first));
    let (session, mut events) = Session::start(options, Arc::new(|| token("alice").unwrap()));
    let connected = next(&mut events, PATIENCE).await;
    assert!(
        matches!(connected, SessionEvent::Connected { .. }),
        "{connected:?}"
    );
    (session, events)
}

async fn next(events: &mut mpsc::Receiver<SessionEvent>, within: Duration) -> SessionEvent {
    timeout(within, events.recv()).await.unwrap().unwrap()
}

async fn offer(alice: &Session) -> u64 {
    let offer = payload("\"offer\"").unwrap();
    alice
        .send_held(MessageKind::Offer, "bob", offer, HOLD)
        .await
        .unwrap()
}

async fn is_queued(events: &mut mpsc::Receiver<SessionEvent>, id: u64) {
    let queued = next(events, PATIENCE).await;
    assert!(
        matches!(queued, SessionEvent::Queued { id: of } if of == id),
        "{queued:?}"
    );
}

/// The outcome of `id`; connections may come and go before it.
async fn outcome(events: &mut mpsc::Receiver<SessionEvent>, id: u64) -> SendReport {
    loop {
        let event = next(events, PATIENCE).await;
        if let SessionEvent::Outcome { id: of, report } = &event
            && *of == id
        {
            return report.clone();
        }
    }
}

/// Bob connects to the node at `index` and gets the offer, once.
async fn bob_gets_the_offer(cluster: &Cluster, index: usize) -> Client {
    let mut bob = cluster.connect(index, "bob").await.unwrap();
    assert!(!bob.welcome().resumed);
    let message = bob.message(PATIENCE).await.unwrap();
    assert_eq!(
        (message.from.as_str(), message.payload.get()),
        ("alice", "\"offer\"")
    );
    bob
}

/// Nothing else arrives at `bob` while it is silent for a second.
async fn nothing_more(bob: &mut Client) {
    while let Ok(frame) = bob.next_within(Duration::from_secs(1)).await {
        assert!(matches!(frame, ServerFrame::Event(_)), "{frame:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_to_an_absent_callee_waits_until_it_connects_on_another_node() {
    let cluster = Cluster::start(2).await.unwrap();
    let (alice, mut events) = alice(&cluster, 0).await;
    let sent = Instant::now();
    let id = offer(&alice).await;
    is_queued(&mut events, id).await;
    println!("queued after {:?}", sent.elapsed());
    tokio::time::sleep(ABSENT).await;
    let connected = Instant::now();
    let mut bob = bob_gets_the_offer(&cluster, 1).await;
    println!(
        "the offer came {:?} after bob began to connect",
        connected.elapsed()
    );
    assert_eq!(outcome(&mut events, id).await, SendReport::delivered());
    println!("delivered after {:?}", connected.elapsed());
    nothing_more(&mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_if_the_callers_node_is_killed_meanwhile() {
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let (alice, mut events) = alice(&cluster, 0).await;
    let id = offer(&alice).await;
    is_queued(&mut events, id).await;
    cluster.nodes[0].kill().await.unwrap();
    tokio::time::sleep(ABSENT).await;
    let mut bob = bob_gets_the_offer(&cluster, 1).await;
    let connected = Instant::now();
    assert_eq!(outcome(&mut events, id).await, SendReport::delivered());
    println!("delivered {:?} after bob had the offer", connected.elapsed());
    nothing_more(&mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_that_does_not_come_in_time_costs_an_expired_and_gets_nothing_later() {
    let cluster = Cluster::start_with(2, "[limits]\nhold_ms = 1000\n")
        .await
        .unwrap();
    let (alice, mut events) = alice(&cluster, 0).await;
    // More than the limit is the limit.
    let id = offer(&alice).await;
    is_queued(&mut events, id).await;
    let report = outcome(&mut events, id).await;
    assert_eq!(report.outcome, SendOutcome::Error(ErrorCode::Expired));
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    nothing_more(&mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_loses_everything_does_not_lose_held_messages() {
    let cluster = Cluster::start(2).await.unwrap();
    let (alice, mut events) = alice(&cluster, 0).await;
    let id = offer(&alice).await;
    is_queued(&mut events, id).await;
    cluster.redis.kill().await.unwrap();
    cluster.redis.restart().await.unwrap();
    for node in &cluster.nodes {
        node.wait_ready().await.unwrap();
    }
    // The sender's node transmits it again every five seconds.
    tokio::time::sleep(ABSENT * 3).await;
    let mut bob = bob_gets_the_offer(&cluster, 1).await;
    assert_eq!(outcome(&mut events, id).await, SendReport::delivered());
    nothing_more(&mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_holds_too_much_gets_its_answer_at_once() {
    let cluster = Cluster::start_with(2, "[limits]\ntenant_held_bytes = 1000\n")
        .await
        .unwrap();
    let (alice, mut events) = alice(&cluster, 0).await;
    let mut refused = 0;
    for _ in 0..8 {
        let sent = Instant::now();
        let id = offer(&alice).await;
        let event = next(&mut events, PATIENCE).await;
        if let SessionEvent::Outcome { id: of, report } = &event {
            assert_eq!(*of, id);
            assert_eq!(report.outcome, SendOutcome::Error(ErrorCode::QueueFull));
            assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
            refused += 1;
        } else {
            assert!(matches!(event, SessionEvent::Queued { .. }), "{event:?}");
        }
    }
    assert!((1..8).contains(&refused), "{refused}");
}
