//! Independent Redis servers of a running cluster: their number rises and falls under load, as `docs/operating.md` says, and the
//! first one is down, which has what belongs to the whole cluster. Servers that fail otherwise are in `modes`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_client::{Client, ConnectOptions, Resume, SendReport};
use switchboard_protocol::{Claims, MessageKind, Role, Secret, SwitchboardClaims};
use switchboard_testkit::{
    Cluster, Load, NodeProcess, Oracle, PATIENCE, Received, RedisServer, Reply, WebhookReceiver, claims,
    payload, sign, token, wait_until,
};

use crate::{
    QUICK_PINGS, alone, check_ok, load_for,
    modes::{PLAN, healed_in_time, subscribed_at},
    rolling::DRAIN,
};

/// A change has a notice of 3 s, and waits until the leases of the restarted nodes' earlier runs are over.
const CHANGED_WITHIN: Duration = Duration::from_secs(30);

/// The longest send of a peer whose server is up.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How soon a webhook has an event, also when Redis has just come back.
const EVENTS_WITHIN: Duration = Duration::from_secs(30);

/// Restarts one node after the other, each with the first `listed` servers.
async fn restart_all_listing(listed: usize, cluster: &Cluster, oracle: &Arc<Oracle>) {
    for (index, node) in cluster.nodes.iter().enumerate() {
        cluster.list(index, listed).unwrap();
        oracle.fault(&format!("n{} restarts with {listed} servers", index + 1));
        node.terminate().unwrap();
        assert_eq!(node.wait_ended(PATIENCE).await.unwrap().code(), Some(0));
        node.restart().await.unwrap();
    }
}

/// Waits until so many servers are in use.
async fn until_in_use(count: usize, cluster: &Cluster) {
    let wanted = count.to_string();
    let is_so = async || {
        let in_use: String = cluster
            .redis
            .command(&["HGET", "sb:servers", "in_use"])
            .await
            .ok()?;
        (in_use == wanted).then_some(())
    };
    let (_, took) = wait_until("the number of servers changes", CHANGED_WITHIN, is_so)
        .await
        .unwrap();
    println!("{count} servers are in use after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_server_is_added_under_load_by_restarts_of_the_nodes_and_no_send_fails() {
    let _alone = alone().await;
    let config = format!("{QUICK_PINGS}{DRAIN}");
    let cluster = Cluster::start_listing(3, 4, 3, &config).await.unwrap();
    let fourth = &cluster.redis.servers()[3];
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;
    restart_all_listing(4, &cluster, &oracle).await;
    assert_eq!(subscribed_at(fourth, "CHANNELS").await, 0, "not in use yet");
    oracle.fault("the fourth server comes into use");
    until_in_use(4, &cluster).await;
    load_for(5.0).await;
    let peers = subscribed_at(fourth, "CHANNELS").await;
    assert!(
        (2 * PLAN.pairs / 8..=2 * PLAN.pairs / 2).contains(&peers),
        "about a quarter of {}: {peers}",
        2 * PLAN.pairs
    );
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "no send failed");
}

/// Lowers the number of servers in use to three.
async fn lower(cluster: &Cluster) {
    let words = ["HSET", "sb:servers", "most", "3"];
    let _: u64 = cluster.redis.command(&words).await.unwrap();
    until_in_use(3, cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_server_is_removed_under_load_and_no_send_fails() {
    let _alone = alone().await;
    let config = format!("{QUICK_PINGS}{DRAIN}");
    let cluster = Cluster::start_listing(4, 4, 3, &config).await.unwrap();
    let last = &cluster.redis.servers()[3];
    let detached = detached_at(last, &cluster).await;
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;
    assert!(subscribed_at(last, "CHANNELS").await > 0);
    oracle.fault("the last server goes out of use");
    lower(&cluster).await;
    load_for(4.0).await;
    assert_eq!(subscribed_at(last, "CHANNELS").await, 0);
    for (name, session) in detached {
        let resume = Some(Resume {
            token: session,
            seen: 0,
        });
        let options = ConnectOptions {
            resume,
            ..ConnectOptions::new(cluster.nodes[0].url(), token(&name).unwrap())
        };
        let client = Client::connect(&options).await.unwrap();
        assert!(client.welcome().resumed, "{name} was detached before");
    }
    restart_all_listing(3, &cluster, &oracle).await;
    let _: u64 = cluster
        .redis
        .command(&["HDEL", "sb:servers", "most"])
        .await
        .unwrap();
    last.kill().await.unwrap();
    load_for(2.0).await;
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "no send failed");
}

/// Some peers of this server, which have lost their connections, with the secrets of their sessions.
async fn detached_at(server: &RedisServer, cluster: &Cluster) -> Vec<(String, Secret)> {
    let names: Vec<_> = (0..24).map(|number| format!("gone{number}")).collect();
    let mut clients = Vec::new();
    for name in &names {
        clients.push(cluster.connect(0, name).await.unwrap());
    }
    let (its, _) = by_server(server, &names).await;
    assert!(!its.is_empty());
    let sessions = names.into_iter().zip(clients);
    let sessions = sessions.map(|(name, client)| (name, client.welcome().resume_token.clone()));
    let sessions: Vec<_> = sessions.filter(|(name, _)| its.contains(name)).collect();
    let all_gone = async || (by_server(server, &its).await.0.is_empty()).then_some(());
    wait_until("they are detached", PATIENCE, all_gone).await.unwrap();
    sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peers_of_a_last_server_that_stays_dead_move_to_the_others_when_it_is_removed() {
    let _alone = alone().await;
    let cluster = Cluster::start_listing(4, 4, 3, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;
    oracle.fault("redis-4 killed");
    cluster.redis.servers()[3].kill().await.unwrap();
    load_for(1.0).await;
    lower(&cluster).await;
    oracle.fault("it is out of use");
    load_for(6.0).await;
    for node in &cluster.nodes {
        let ready = node.get("/readyz").await.unwrap();
        assert!(
            ready.status == 200 && !ready.body.contains("bus-"),
            "{}",
            ready.body
        );
    }
    check_ok(load, &oracle, &cluster).await;
    healed_in_time(&oracle, "it is out of use");
}

/// The names whose peers this server serves, and the others. All are connected.
async fn by_server(server: &RedisServer, names: &[String]) -> (Vec<String>, Vec<String>) {
    let channels: Vec<String> = server.command(&["PUBSUB", "CHANNELS", "sb:*"]).await.unwrap();
    let is_its = |name: &String| {
        channels
            .iter()
            .any(|channel| channel.ends_with(&format!("/{name}")))
    };
    names.iter().cloned().partition(is_its)
}

/// Sends, and returns how long the receipt took.
async fn delivered_after(from: &mut Client, to: &str) -> Duration {
    let (text, since) = (payload("\"hello\"").unwrap(), Instant::now());
    let sent = from.send_and_confirm(MessageKind::Offer, to, &text, PATIENCE);
    assert_eq!(sent.await.unwrap(), SendReport::delivered(), "to {to}");
    since.elapsed()
}

/// How often the receiver has got the event that this peer connected.
fn connects_seen(receiver: &WebhookReceiver, peer: &str) -> usize {
    let events = receiver.events();
    let own = events.iter().filter(|event| event.data("peer") == peer);
    own.filter(|event| event.json()["type"] == "peer.connected")
        .count()
}

async fn until_seen(receiver: &WebhookReceiver, peers: &[String], connects: usize) {
    let all = async || {
        let is_seen = |peer: &String| connects_seen(receiver, peer) == connects;
        peers.iter().all(is_seen).then_some(())
    };
    wait_until("the receiver knows who connected", EVENTS_WITHIN, all)
        .await
        .unwrap();
}

async fn revoke(node: &NodeProcess, jti: &str) -> u16 {
    let backend = Claims {
        switchboard: SwitchboardClaims {
            role: Role::Backend,
            ..SwitchboardClaims::default()
        },
        ..claims("app")
    };
    let body = format!("{{\"jti\":\"{jti}\",\"until\":{}}}", backend.exp);
    let request = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{}/v1/revocations", node.public_port()))
        .bearer_auth(sign(&backend).unwrap().expose())
        .header("content-type", "application/json")
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// The node is ready, and names the server with its share, also in its log.
async fn names_it(node: &NodeProcess, server: &RedisServer) {
    let server = server.address().to_string();
    let says = async || {
        let answer = node.get("/readyz").await.ok()?;
        let is_named = answer.body.contains(&server) && answer.body.contains(" % of the peers");
        (answer.status == 200 && is_named).then_some(())
    };
    wait_until("/readyz names the server", PATIENCE, says)
        .await
        .unwrap();
    let log = node.log();
    let is_its = |line: &&str| line.contains("the bus between nodes is down for 3") && line.contains(&server);
    assert_eq!(log.lines().filter(is_its).count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_server_is_down_peers_of_the_others_connect_and_talk_and_their_events_come_later() {
    let _alone = alone().await;
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let config = format!(
        "{QUICK_PINGS}[webhooks]\nfirst_retry_ms = 100\n[[webhooks.endpoints]]\nname = \"app\"\nurl = \"http://{}/hooks\"\n\
         secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n",
        receiver.address()
    );
    let cluster = Cluster::start_on("sharded:3".parse().unwrap(), 2, &config)
        .await
        .unwrap();
    let first = &cluster.redis.servers()[0];
    let names: Vec<_> = (0..24).map(|number| format!("p{number}")).collect();
    let mut clients = Vec::new();
    for (number, name) in names.iter().enumerate() {
        clients.push(cluster.connect(number % 2, name).await.unwrap());
    }
    let (its, others) = by_server(first, &names).await;
    assert!(its.len() >= 2 && others.len() >= 8, "{its:?}, {others:?}");
    until_seen(&receiver, &names, 1).await;
    assert_eq!(revoke(&cluster.nodes[0], "before").await, 201);

    first.kill().await.unwrap();
    for node in &cluster.nodes {
        names_it(node, first).await;
    }
    assert_eq!(
        revoke(&cluster.nodes[0], "meanwhile").await,
        503,
        "said to the caller"
    );
    // Each comes to the other node with a new session.
    for (number, name) in others.iter().enumerate() {
        let mut client = cluster.connect((number + 1) % 2, name).await.unwrap();
        for other in others.iter().filter(|other| *other != name) {
            let took = delivered_after(&mut client, other).await;
            assert!(took < AT_ONCE, "{name} to {other}: {took:?}");
        }
        clients.push(client);
    }
    assert!(
        others.iter().all(|name| connects_seen(&receiver, name) == 1),
        "the streams of events are on the first server"
    );
    first.restart().await.unwrap();
    for node in &cluster.nodes {
        node.wait_ready().await.unwrap();
    }
    until_seen(&receiver, &others, 2).await;
    let revoked = async || (revoke(&cluster.nodes[0], "after").await == 201).then_some(());
    wait_until("revocations are taken again", PATIENCE, revoked)
        .await
        .unwrap();
}
