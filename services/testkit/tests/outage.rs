//! Redis and nodes fail: what users see, by the outage contract.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::{Duration, Instant};

use switchboard_client::{Client, ConnectOptions, Resume, SendReport};
use switchboard_protocol::{
    ErrorCode, Event, GoawayReason, MessageKind, ReceiptStatus, SendOutcome, ServerFrame,
};
use switchboard_testkit::{Cluster, PATIENCE, payload, token, wait_until};

/// How long Redis stays away.
const AWAY: Duration = Duration::from_secs(5);

async fn send(from: &mut Client, to: &str) -> SendReport {
    let json = payload("\"ping\"").unwrap();
    from.send_and_confirm(MessageKind::Message, to, &json, PATIENCE)
        .await
        .unwrap()
}

/// Sends until one is delivered; returns how long that took. Every send has its outcome.
async fn flows_again(from: &mut Client, to: &str) -> Duration {
    let start = Instant::now();
    while send(from, to).await != SendReport::delivered() {
        assert!(start.elapsed() < PATIENCE);
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_seconds_without_redis_cost_no_socket_no_local_message_and_two_seconds_at_most_afterwards() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut near = cluster.connect(0, "near").await.unwrap();
    let mut far = cluster.connect(1, "far").await.unwrap();
    assert_eq!(send(&mut alice, "far").await, SendReport::delivered());

    cluster.redis.kill().await.unwrap();
    let gone = Instant::now();
    let waiting = alice.next_id();
    alice
        .send(MessageKind::Message, "far", Some(waiting), &payload("1").unwrap())
        .await
        .unwrap();
    let mut local = 0;
    let mut reasons = String::new();
    while gone.elapsed() < AWAY {
        assert_eq!(
            send(&mut alice, "near").await,
            SendReport::delivered(),
            "peers of one node go on talking"
        );
        // Nobody waits in the kernel for a client that does not read.
        near.message(PATIENCE).await.unwrap();
        local += 1;
        assert_eq!(cluster.nodes[0].status("/livez").await, Some(200));
        if cluster.nodes[0].status("/readyz").await == Some(503) {
            reasons = cluster.nodes[0].get("/readyz").await.unwrap().body;
        }
    }
    assert!(
        reasons.contains("bus-down"),
        "/readyz names the reason: {reasons}"
    );
    let mut newcomer = cluster.connect(0, "newcomer").await.unwrap();
    assert!(!newcomer.welcome().resumed, "let in, and its session is new");
    assert_eq!(send(&mut newcomer, "near").await, SendReport::delivered());
    let outcome = alice.outcome_of(waiting, PATIENCE).await.unwrap();
    assert!(
        matches!(
            outcome.outcome,
            SendOutcome::Error(ErrorCode::BusUnavailable | ErrorCode::Timeout)
        ),
        "what was sent during the outage has its outcome: {outcome:?}"
    );

    // Before the restart: Redis comes back empty, and a node that notices it dials once more and says so.
    let log = cluster.nodes[0].log();
    cluster.redis.restart().await.unwrap();
    let took = flows_again(&mut alice, "far").await;
    println!("{local} local messages during the outage; across nodes again after {took:?}");
    assert!(
        took < Duration::from_secs(2),
        "across nodes again only after {took:?}"
    );
    cluster.nodes[0].wait_ready().await.unwrap();
    let begins: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the bus between nodes is down"))
        .collect();
    let server = cluster.redis.address().to_string();
    assert_eq!(
        begins.len(),
        1,
        "a line at its beginning, not for each try: {begins:?}"
    );
    assert!(
        begins[0].contains(&server) && begins[0].contains("\"n1\""),
        "it names the server and the node: {begins:?}"
    );
    // After five seconds the reason is looked at once more, and this outage is about as long.
    let lasts = log.matches("the bus between nodes still is down").count();
    assert!(lasts <= 1, "one line a minute while it lasts: {log}");
    assert!(
        far.message(PATIENCE).await.is_ok() && near.message(PATIENCE).await.is_ok(),
        "no socket was closed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_pubsub_connections_under_load_lose_nothing_and_are_subscribed_again_within_two_seconds() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let mut others = Vec::new();
    for number in 0..100 {
        others.push(
            cluster
                .connect(number % 2, &format!("other-{number}"))
                .await
                .unwrap(),
        );
    }
    let json = payload("\"load\"").unwrap();
    let mut sent = 0;
    for round in 0..20 {
        for _ in 0..20 {
            sent = alice.next_id();
            alice
                .send(MessageKind::Message, "bob", Some(sent), &json)
                .await
                .unwrap();
        }
        if round == 5 {
            assert!(
                cluster
                    .redis
                    .command::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"])
                    .await
                    .is_ok()
            );
            let confirmed = async || {
                let node = &cluster.nodes[1];
                let rebuilt = node
                    .metric("switchboard_bus_rebuilds_total{reason=\"closed\"}")
                    .await?
                    >= 1.0;
                let desired = node.metric("switchboard_subscriptions_desired").await?;
                let confirmed = node.metric("switchboard_subscriptions_confirmed").await?;
                (rebuilt && desired == 51.0 && desired == confirmed).then_some(())
            };
            let deadline = Duration::from_secs(2);
            let (_, took) = wait_until("desired equals confirmed", deadline, confirmed)
                .await
                .unwrap();
            println!("subscribed again after {took:?}");
        }
    }
    for id in 1..=sent {
        assert_eq!(
            alice.outcome_of(id, PATIENCE).await.unwrap(),
            SendReport::delivered(),
            "send {id}"
        );
    }
    for seq in 1..=sent {
        assert_eq!(bob.message(PATIENCE).await.unwrap().seq, seq);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_to_the_peers_of_a_killed_node_wait_for_them_and_are_delivered_elsewhere() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let _bob = cluster.connect(1, "bob").await.unwrap();
    assert_eq!(send(&mut alice, "bob").await, SendReport::delivered());
    cluster.nodes[1].kill().await.unwrap();
    let json = payload("\"while he is away\"").unwrap();
    let id = alice.next_id();
    alice
        .send(MessageKind::Message, "bob", Some(id), &json)
        .await
        .unwrap();
    let queued = alice.expect(PATIENCE, |frame| match frame {
        ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => Some(*status),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    assert_eq!(queued.await.unwrap(), ReceiptStatus::Queued);
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    assert_eq!(
        alice.outcome_of(id, PATIENCE).await.unwrap(),
        SendReport::delivered()
    );
    assert_eq!(bob.message(PATIENCE).await.unwrap().payload.get(), json.get());
    assert_eq!(send(&mut alice, "bob").await, SendReport::delivered());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_waited_while_redis_lost_its_data_begins_anew_and_says_that_something_is_missing() {
    let cluster = Cluster::start(2).await.unwrap();
    let bob = cluster.connect(1, "bob").await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let resume_token = bob.welcome().resume_token.clone();
    drop(bob);
    // Until then the node may still write to a socket whose end it has not seen: delivered, not queued.
    let detached =
        async || (cluster.nodes[1].metric("switchboard_sessions").await == Some(0.0)).then_some(());
    wait_until("bob is detached", PATIENCE, detached).await.unwrap();
    let id = alice.next_id();
    alice
        .send(MessageKind::Message, "bob", Some(id), &payload("1").unwrap())
        .await
        .unwrap();
    let queued = alice.expect(PATIENCE, |frame| match frame {
        ServerFrame::Event(Event::Receipt { status, .. }) => Some(*status),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    assert_eq!(queued.await.unwrap(), ReceiptStatus::Queued);

    cluster.redis.restart().await.unwrap();
    for node in &cluster.nodes {
        node.wait_ready().await.unwrap();
    }
    let resume = Some(Resume {
        token: resume_token,
        seen: 0,
    });
    let options = ConnectOptions {
        resume,
        ..ConnectOptions::new(cluster.nodes[1].url(), token("bob").unwrap())
    };
    let mut bob = Client::connect(&options).await.unwrap();
    assert!(!bob.welcome().resumed && bob.welcome().gap);
    // The send queue is gone, but the sender's node still has its messages.
    assert_eq!(
        alice.outcome_of(id, PATIENCE).await.unwrap(),
        SendReport::delivered()
    );
    assert_eq!(bob.message(PATIENCE).await.unwrap().payload.get(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_node_tells_its_clients_closes_them_with_1012_and_exits_with_0() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(cluster.connect(0, &format!("peer-{number}")).await.unwrap());
    }
    cluster.nodes[0].terminate().unwrap();
    for client in &mut clients {
        let goaway = client.expect(PATIENCE, |frame| match frame {
            ServerFrame::Event(Event::Goaway { reason, .. }) => Some(*reason),
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        });
        assert_eq!(goaway.await.unwrap(), GoawayReason::Draining);
        assert_eq!(client.closed(PATIENCE).await.unwrap().0, 1012);
    }
    assert_eq!(
        cluster.nodes[0].wait_ended(PATIENCE).await.unwrap().code(),
        Some(0)
    );
}
