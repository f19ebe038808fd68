//! Webhooks of real nodes: receivers that are away, slow or wrong, nodes that die, and what signaling notices of it.
//! `SWITCHBOARD_LONG=1` keeps a receiver away for 30 s, and measures longer.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod authorities;
mod endings;
mod latency;
mod operators;
mod rooms;
mod secrets;
mod snippets;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use switchboard_client::{Client, ConnectOptions, Resume};
use switchboard_protocol::{MessageKind, Secret};
use switchboard_testkit::{
    Cluster, NodeProcess, OPS_TOKEN, PATIENCE, Port, Received, Reply, WebhookReceiver, payload, token,
    wait_until,
};

/// How long the receiver is down.
fn down() -> Duration {
    let is_long = std::env::var_os("SWITCHBOARD_LONG").is_some();
    Duration::from_secs(if is_long { 30 } else { 10 })
}

/// A lease, its renewal, and patience.
const TAKEOVER: Duration = Duration::from_secs(30);

/// Webhooks for the receiver at this address.
fn hooks(address: std::net::SocketAddr, more: &str) -> String {
    format!(
        "[webhooks]\nfirst_retry_ms = 100\nlongest_retry_ms = 1000\n{more}\n[[webhooks.endpoints]]\nname = \"app\"\n\
         url = \"http://{address}/hooks\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n"
    )
}

fn kind(event: &Received) -> String {
    event.json()["type"].as_str().unwrap().to_owned()
}

fn kinds_of(events: &[Received], peer: &str) -> Vec<String> {
    let own = events.iter().filter(|event| event.data("peer") == peer);
    own.map(kind).collect()
}

async fn are_appended(nodes: &[NodeProcess], least: usize) {
    let appended = async || {
        let mut count = 0.0;
        for node in nodes {
            count += node.metric("switchboard_webhook_events_total").await?;
        }
        (count >= least as f64).then_some(())
    };
    wait_until("the events are in Redis", PATIENCE, appended)
        .await
        .unwrap();
}

/// Connects `peer`, with its earlier session, and loses the connection again.
async fn visit(node: &NodeProcess, peer: &str, earlier: Option<Secret>) -> Secret {
    let options = ConnectOptions {
        resume: earlier.map(|token| Resume { token, seen: 0 }),
        ..ConnectOptions::new(node.url(), token(peer).unwrap())
    };
    Client::connect(&options)
        .await
        .unwrap()
        .welcome()
        .resume_token
        .clone()
}

async fn switchable() -> (WebhookReceiver, Arc<AtomicBool>) {
    let is_open = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&is_open);
    let receiver = WebhookReceiver::start(move |_: &Received| match open.load(Ordering::Relaxed) {
        true => Reply::status(204),
        false => Reply::status(503),
    });
    (receiver.await.unwrap(), is_open)
}

async fn json(method: &str, node: &NodeProcess, path: &str) -> (u16, Value) {
    let answer = switchboard_harness::http::request(method, node.ops_port(), path, Some(OPS_TOKEN));
    let answer = answer.await.unwrap();
    (
        answer.status,
        serde_json::from_str(&answer.body).unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_every_event_and_those_of_each_peer_in_order() {
    const PEERS: usize = 12;
    const VISITS: usize = 4;
    let port = Port::reserve().unwrap();
    let address = ([127, 0, 0, 1], port.number()).into();
    let cluster = Cluster::start_with(3, &hooks(address, "")).await.unwrap();
    let began = Instant::now();
    let mut sessions = vec![None; PEERS];
    for round in 0..VISITS {
        let visits = sessions.iter_mut().enumerate().map(async |(number, session)| {
            // Half of the peers move.
            let node = &cluster.nodes[(number + round * (number % 2)) % cluster.nodes.len()];
            *session = Some(visit(node, &format!("p{number}"), session.take()).await);
        });
        futures_util::future::join_all(visits).await;
        // A session that is resumed before its node has noticed the loss was never detached.
        are_appended(&cluster.nodes, PEERS * 2 * (round + 1)).await;
    }
    tokio::time::sleep_until((began + down()).into()).await;
    drop(port);
    let receiver = WebhookReceiver::start_at(address, |_: &Received| Reply::status(200))
        .await
        .unwrap();
    // The last visit ends in `peer.detached`; its session may end as well before the test does.
    let events = receiver.take(PEERS * VISITS * 2, TAKEOVER).await.unwrap();
    println!(
        "{} events, the last {:?} after the receiver was back",
        events.len(),
        began.elapsed() - down()
    );
    for number in 0..PEERS {
        let peer = format!("p{number}");
        let mut own: Vec<_> = events.iter().filter(|event| event.data("peer") == peer).collect();
        if number % 2 == 1 {
            // Two nodes append at the same time; the fence tells the order.
            own.sort_by_key(|event| event.json()["data"]["fence"].as_u64());
        }
        let kinds: Vec<_> = own.into_iter().take(VISITS * 2).map(kind).collect();
        assert_eq!(
            kinds,
            ["peer.connected", "peer.detached"].repeat(VISITS),
            "{peer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_leaves_its_pending_events_to_the_others() {
    let (receiver, is_open) = switchable().await;
    let cluster = Cluster::start_with(2, &hooks(receiver.address(), ""))
        .await
        .unwrap();
    let (first, second) = (&cluster.nodes[0], &cluster.nodes[1]);
    for number in 0..20 {
        visit(first, &format!("p{number}"), None).await;
    }
    are_appended(std::slice::from_ref(first), 40).await;
    // Both nodes read, and both know that the receiver takes nothing.
    let tried = async || {
        let series = r#"switchboard_webhook_requests_total{outcome="unreachable"}"#;
        let counts = [first.metric(series).await?, second.metric(series).await?];
        counts.iter().all(|count| *count > 0.0).then_some(())
    };
    wait_until("both nodes have pending events", PATIENCE, tried)
        .await
        .unwrap();
    first.kill().await.unwrap();
    is_open.store(true, Ordering::Relaxed);
    let events = receiver.take(40, TAKEOVER).await.unwrap();
    for number in 0..20 {
        let kinds = kinds_of(&events, &format!("p{number}"));
        assert_eq!(kinds[..2], ["peer.connected", "peer.detached"], "p{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_peer_is_wanted_at_most_once_a_second_across_senders_and_nodes() {
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let cluster = Cluster::start_with(2, &hooks(receiver.address(), ""))
        .await
        .unwrap();
    visit(&cluster.nodes[0], "bob", None).await;
    receiver.take(2, PATIENCE).await.unwrap();
    let mut senders = [
        cluster.connect(0, "alice").await.unwrap(),
        cluster.connect(1, "carol").await.unwrap(),
    ];
    let (one, began) = (payload("1").unwrap(), Instant::now());
    let is_wanted = |kind: &String| kind == "peer.wanted";
    let wanted = || {
        kinds_of(&receiver.events(), "bob")
            .into_iter()
            .filter(is_wanted)
            .count()
    };
    let third = async {
        while wanted() < 3 {
            for sender in &mut senders {
                let id = sender.next_id();
                let sent = sender.send(MessageKind::Offer, "bob", Some(id), &one);
                sent.await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, third).await.unwrap();
    // However slow the machine is: the third is two seconds after the first.
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_webhooks_work_and_the_node_says_that_they_end_with_it() {
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let config = format!(
        "[broker]\nkind = \"memory\"\n[auth]\nhs256_secret = \"{}\"\n{}",
        switchboard_testkit::SECRET,
        hooks(receiver.address(), "")
    );
    let node = NodeProcess::spawn_new("n1", &config).unwrap();
    node.wait_ready().await.unwrap();
    visit(&node, "bob", None).await;
    let events = receiver.take(2, PATIENCE).await.unwrap();
    assert_eq!(kinds_of(&events, "bob"), ["peer.connected", "peer.detached"]);
    assert_eq!(json("GET", &node, "/webhooks").await.1["outlives_process"], false);
    assert!(node.log().contains("in memory alone"), "{}", node.log());
}
