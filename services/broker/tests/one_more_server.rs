//! A further Redis server comes into use under load: nobody is called offline, every message arrives within its deadline, and
//! detached sessions can be resumed; with the documented rights in Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::time::{Duration, Instant};

use common::{
    Node, PATIENCE,
    acl::{calls, of_a_further_server, plain, refusals, rights, type_line},
    configured_node, keep, key, ranges,
    redis::{config, deployment},
    resume, session_id, token, until,
};
use switchboard_broker::{RedisConfig, RedisCredentials};
use switchboard_core::Presence;
use switchboard_harness::{DeploymentOptions, RedisDeployment, RedisServer, wait_until};
use switchboard_protocol::Secret;
use tokio::time::{sleep, timeout};

/// Peers of each of the two nodes that receive.
const PEERS: u8 = 150;

/// The deadline of a send.
const DEADLINE: Duration = Duration::from_secs(5);

/// What was copied is removed from the old servers 20 s later.
const REMOVED_WITHIN: Duration = Duration::from_secs(40);

/// A change has a notice of 3 s, and waits until the lease of the node with the short list is over.
const CHANGED_WITHIN: Duration = Duration::from_secs(30);

/// Four servers, and the configuration that lists them.
async fn four_servers() -> Option<(RedisDeployment, RedisConfig)> {
    let redis = deployment("sharded:4", DeploymentOptions::default()).await?;
    for server in redis.servers() {
        type_line(server, &plain()).await;
        type_line(server, &of_a_further_server()).await;
    }
    let config = RedisConfig {
        credentials: RedisCredentials {
            username: Some("switchboard".to_owned()),
            password: Some(Secret::new("PASSWORD")),
        },
        ..config(&redis)
    };
    Some((redis, config))
}

/// The configuration that lists the servers with these numbers.
fn listing(all: &RedisConfig, servers: &[usize]) -> RedisConfig {
    RedisConfig {
        urls: servers.iter().map(|server| all.urls[*server].clone()).collect(),
        ..all.clone()
    }
}

async fn node(name: &str, config: &RedisConfig) -> Node {
    let node = configured_node(name, config);
    node.is_up().await;
    node
}

async fn keys(server: &RedisServer, pattern: &str) -> usize {
    let script = "return #redis.call('KEYS', ARGV[1])";
    let count: u64 = server.command(&["EVAL", script, "0", pattern]).await.unwrap();
    usize::try_from(count).unwrap()
}

/// Sends as a node does: again and again until somebody has it, and never to a peer that is called offline. How long it took.
async fn deliver(from: &Node, to: &str, text: &str) -> Duration {
    let since = Instant::now();
    while from.publish(to, text.as_bytes()).await != Ok(1) {
        let located = from.locate(to).await;
        assert_ne!(located, Ok(Presence::Offline), "{to} after {:?}", since.elapsed());
        assert!(since.elapsed() < DEADLINE, "{to} is {located:?}");
        sleep(Duration::from_millis(100)).await;
    }
    since.elapsed()
}

#[tokio::test]
async fn a_fourth_server_comes_into_use_under_load_and_nothing_is_lost() {
    let Some((redis, all)) = four_servers().await else {
        return;
    };
    let three = listing(&all, &[0, 1, 2]);
    // The number in use is that of the first node's list; a node with a short list keeps it there.
    let old = node("old", &three).await;
    let (n1, n2, n3) = (
        node("n1", &all).await,
        node("n2", &all).await,
        node("n3", &all).await,
    );
    for peer in 0..PEERS {
        assert!(n2.attach(&format!("a{peer}"), peer).await.confirmed);
        assert!(n3.attach(&format!("b{peer}"), peer).await.confirmed);
    }
    for peer in 0..20 {
        let name = format!("d{peer}");
        n2.attach(&name, peer).await;
        n2.broker
            .detach(&key(&name), session_id(peer), 0, keep(ranges(7, &[])));
    }
    assert_eq!(keys(&redis.servers()[3], "sb:*:s:*").await, 0, "not in use");
    old.broker.shutdown().await;

    let (mut sent, mut slowest) = (Vec::new(), Duration::ZERO);
    let mut changed = None;
    let since = Instant::now();
    let mut number = 0_u32;
    while changed.is_none_or(|at: Instant| at.elapsed() < Duration::from_secs(4)) {
        assert!(
            since.elapsed() < CHANGED_WITHIN,
            "the fourth server is not in use"
        );
        for peer in 0..PEERS {
            let to = format!("{}{peer}", if number.is_multiple_of(2) { 'a' } else { 'b' });
            let text = format!("{number} to {to}");
            slowest = slowest.max(deliver(&n1, &to, &text).await);
            sent.push((to, text));
        }
        number += 1;
        if changed.is_none() && keys(&redis.servers()[3], "sb:*:s:*").await > 0 {
            changed = Some(Instant::now());
        }
    }
    println!("{} messages, the slowest took {slowest:?}", sent.len());
    for (to, text) in &sent {
        let receiver = if to.starts_with('a') { &n2 } else { &n3 };
        until("the message arrived", PATIENCE, || {
            receiver.received(text.as_bytes()) > 0
        })
        .await;
        assert_eq!(receiver.received(text.as_bytes()), 1, "{text}");
    }
    let records = keys(&redis.servers()[3], "sb:*:s:*").await;
    let all = 2 * usize::from(PEERS) + 20;
    assert!(
        (all / 6..all / 3).contains(&records),
        "about a quarter: {records} of {all}"
    );
    for peer in 0..20 {
        let name = key(&format!("d{peer}"));
        let resumed = n1.broker.attach(&name, resume(token(peer), Duration::ZERO)).await;
        assert!(
            resumed.unwrap().snapshot.is_some(),
            "{name} was detached before the change"
        );
    }
    // A peer that is nowhere is offline, on every server, once the change has settled.
    for peer in 0..20 {
        assert_eq!(n1.locate(&format!("nobody{peer}")).await, Ok(Presence::Offline));
    }
    // A node that does not know the fourth server must not run.
    let short = configured_node("short", &three);
    let why = timeout(PATIENCE, short.broker.until_unusable()).await.unwrap();
    assert!(
        why.contains("lists 3 Redis servers, and this cluster uses 4"),
        "{why}"
    );
    let more = of_a_further_server();
    let all_used = async || {
        let calls = calls(redis.servers()).await;
        rights(&more)
            .iter()
            .all(|right| calls.contains_key(*right))
            .then_some(())
    };
    wait_until("each right of a further server is used", REMOVED_WITHIN, all_used)
        .await
        .unwrap();
    assert_eq!(refusals(redis.servers()).await, []);
}

#[tokio::test]
async fn servers_in_another_order_are_refused() {
    let Some((_redis, all)) = four_servers().await else {
        return;
    };
    let n1 = node("n1", &all).await;
    let n2 = configured_node("n2", &listing(&all, &[0, 2, 1, 3]));
    let why = timeout(PATIENCE, n2.broker.until_unusable()).await.unwrap();
    assert!(
        why.contains("is number 3 of this cluster, but stands at number 2"),
        "{why}"
    );
    let n3 = configured_node("n3", &listing(&all, &[0, 1, 2, 0]));
    let why = timeout(PATIENCE, n3.broker.until_unusable()).await.unwrap();
    assert!(
        why.contains("is number 1 of this cluster, but stands at number 4"),
        "{why}"
    );
    drop(n1);
}
