//! An operator lowers the number of Redis servers in use: when that counts, and the server that is out of use.
//! Peers under load are in the testkit's `faults`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::time::Duration;

use common::{
    Node, PATIENCE, keep, key, ranges,
    redis::{config, deployment, two_nodes},
    resume, session_id, token,
};
use switchboard_core::Presence;
use switchboard_harness::{DeploymentOptions, RedisDeployment, RedisServer, wait_until};

/// Peers of the second node.
const PEERS: u8 = 40;

/// A change has a notice of 3 s.
const CHANGED_WITHIN: Duration = Duration::from_secs(15);

/// What has moved is removed after two leases.
const REMOVED_WITHIN: Duration = Duration::from_secs(40);

fn name(peer: u8) -> String {
    format!("p{peer}")
}

/// Four servers and two nodes that use them.
async fn start() -> Option<(RedisDeployment, Node, Node)> {
    let redis = deployment("sharded:4", DeploymentOptions::default()).await?;
    let (n1, n2) = two_nodes(&config(&redis), (0..PEERS).map(name)).await;
    Some((redis, n1, n2))
}

async fn field(redis: &RedisDeployment, field: &str) -> String {
    let script = "return redis.call('HGET', 'sb:servers', ARGV[1]) or ''";
    redis.command(&["EVAL", script, "0", field]).await.unwrap()
}

async fn until_field(redis: &RedisDeployment, name: &str, is_wanted: impl Fn(&str) -> bool) {
    let what = format!("the field {name} is as wanted");
    let is_so = async || is_wanted(&field(redis, name).await).then_some(());
    wait_until(&what, CHANGED_WITHIN, is_so).await.unwrap();
}

async fn at_most(redis: &RedisDeployment, servers: &str) {
    let words = ["HSET", "sb:servers", "most", servers];
    let _: u64 = redis.command(&words).await.unwrap();
}

async fn no_bound(redis: &RedisDeployment) {
    let _: u64 = redis.command(&["HDEL", "sb:servers", "most"]).await.unwrap();
}

/// Waits until every node has exchanged twice more.
async fn exchanged_twice(redis: &RedisDeployment) {
    for _ in 0..2 {
        for node in ["n:n1", "n:n2"] {
            let before = field(redis, node).await;
            until_field(redis, node, |now| now != before).await;
        }
    }
}

/// The keys of partitions on this server.
async fn keys(server: &RedisServer) -> u64 {
    let script = "return #redis.call('KEYS', 'sb:{*')";
    server.command(&["EVAL", script, "0"]).await.unwrap()
}

async fn are_reachable(from: &Node, on: &Node) {
    for peer in 0..PEERS {
        let hears = async || (from.publish(&name(peer), b"hello").await == Ok(1)).then_some(());
        wait_until("the peer is reached", PATIENCE, hears).await.unwrap();
        let attached = Presence::Attached { node: on.id.clone() };
        common::until_presence(from, &name(peer), &attached).await;
    }
}

#[tokio::test]
async fn a_bound_that_is_withdrawn_during_the_notice_changes_nothing() {
    let Some((redis, n1, n2)) = start().await else {
        return;
    };
    exchanged_twice(&redis).await;
    at_most(&redis, "3").await;
    until_field(&redis, "next", |next| next.starts_with("3 ")).await;
    no_bound(&redis).await;
    until_field(&redis, "next", str::is_empty).await;
    assert_eq!(field(&redis, "in_use").await, "4");
    are_reachable(&n1, &n2).await;
}

#[tokio::test]
async fn a_server_out_of_use_is_emptied_also_by_a_node_that_did_not_copy_and_does_not_come_back_at_once() {
    let Some((redis, n1, n2)) = start().await else {
        return;
    };
    let last = &redis.servers()[3];
    for peer in 0..PEERS {
        let gone = format!("d{peer}");
        n2.attach(&gone, peer + 1).await;
        n2.broker
            .detach(&key(&gone), session_id(peer + 1), 0, keep(ranges(7, &[])));
    }
    exchanged_twice(&redis).await;
    assert!(keys(last).await > 0);
    at_most(&redis, "3").await;
    until_field(&redis, "in_use", |in_use| in_use == "3").await;
    no_bound(&redis).await;
    are_reachable(&n1, &n2).await;
    for peer in 0..PEERS {
        let gone = key(&format!("d{peer}"));
        let resumed = n2
            .broker
            .attach(&gone, resume(token(peer + 1), Duration::ZERO))
            .await;
        assert!(resumed.unwrap().snapshot.is_some(), "{gone} was detached before");
    }
    // Which of the two has copied is not known, so one of them is to remove alone.
    n1.broker.shutdown().await;
    let is_empty = async || (keys(last).await == 0).then_some(());
    wait_until("the server is empty", REMOVED_WITHIN, is_empty)
        .await
        .unwrap();
    assert_eq!(
        (
            field(&redis, "next").await.as_str(),
            field(&redis, "in_use").await.as_str()
        ),
        ("", "3"),
        "changes are a minute apart"
    );
}
