//! A node that finds its Redis through Sentinels: failovers, a master that is frozen and thaws, and Sentinels that fail.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::time::{Duration, Instant};

use common::{
    Node, PATIENCE,
    acl::{of_sentinels, type_line},
    configured_node, key, next_mid,
    redis::{config, deployment, metrics_name_the_masters, two_nodes},
    until,
};
use switchboard_broker::{RedisConfig, RedisCredentials};
use switchboard_core::BusState;
use switchboard_harness::{
    DeploymentOptions, RedisDeployment, RedisOptions, RedisServer, RedisTls, wait_until,
};
use switchboard_protocol::Secret;

/// How long a failover may take until messages pass again, from the promotion on.
const HEALED_WITHIN: Duration = Duration::from_secs(5);

/// A master, a replica and three Sentinels, or the end of the test where there is no Redis.
async fn sentinels(options: DeploymentOptions) -> Option<RedisDeployment> {
    deployment("sentinel", options).await
}

/// Two nodes; bob is on the second.
async fn nodes(config: &RedisConfig) -> (Node, Node) {
    two_nodes(config, ["bob".to_owned()]).await
}

/// Publishes until bob receives; how long that took.
async fn receives_again(from: &Node, on: &Node, since: Instant) -> Duration {
    let before = on.received(b"hello");
    until("bob receives again", PATIENCE, || {
        let _ = from.broker.publish(next_mid(), &key("bob"), b"hello".to_vec());
        on.received(b"hello") > before
    })
    .await;
    since.elapsed()
}

/// Waits until this server is a master; when.
async fn until_promoted(server: &RedisServer) -> Instant {
    let is_master = async || {
        let replication: String = server.command(&["INFO", "replication"]).await.ok()?;
        replication.contains("role:master").then_some(())
    };
    wait_until("a replica is promoted", Duration::from_secs(30), is_master)
        .await
        .unwrap();
    Instant::now()
}

/// The connections of nodes at this server: not those of replicas, masters and Sentinels, and not this question's.
async fn clients(server: &RedisServer) -> Vec<String> {
    let list: String = server.command(&["CLIENT", "LIST"]).await.unwrap();
    let others = ["name=sentinel-", "cmd=client|list", " flags=S ", " flags=M "];
    let lines = list
        .lines()
        .filter(|line| !others.iter().any(|other| line.contains(other)));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_killed_master_is_replaced_within_five_seconds_of_the_promotion() {
    let Some(redis) = sentinels(DeploymentOptions::default()).await else {
        return;
    };
    let (n1, n2) = nodes(&config(&redis)).await;
    redis.servers()[0].kill().await.unwrap();
    let promoted = until_promoted(&redis.servers()[1]).await;
    let took = receives_again(&n1, &n2, promoted).await;
    println!("healed {took:?} after the promotion");
    assert!(took <= HEALED_WITHIN, "{took:?}");
    n1.is_up().await;
    n2.is_up().await;
}

#[tokio::test]
async fn a_failover_that_somebody_asks_for_costs_a_moment() {
    let Some(redis) = sentinels(DeploymentOptions::default()).await else {
        return;
    };
    let (n1, n2) = nodes(&config(&redis)).await;
    redis.failover().await.unwrap();
    let took = receives_again(&n1, &n2, Instant::now()).await;
    println!("healed {took:?} after the failover");
    assert!(took <= HEALED_WITHIN, "{took:?}");
    metrics_name_the_masters(&redis, &n1).await;
}

#[tokio::test]
async fn a_master_that_was_frozen_and_thaws_gets_no_traffic() {
    let Some(redis) = sentinels(DeploymentOptions::default()).await else {
        return;
    };
    let (n1, n2) = nodes(&config(&redis)).await;
    let (old, new) = (&redis.servers()[0], &redis.servers()[1]);
    old.freeze().unwrap();
    let promoted = until_promoted(new).await;
    let took = receives_again(&n1, &n2, promoted).await;
    println!("healed {took:?} after the promotion");
    assert!(took <= HEALED_WITHIN, "{took:?}");
    old.thaw().unwrap();
    let is_replica = async || {
        let replication: String = old.command(&["INFO", "replication"]).await.ok()?;
        replication.contains("role:slave").then_some(())
    };
    wait_until("the old master is a replica", Duration::from_secs(30), is_replica)
        .await
        .unwrap();
    // What was on its way into the frozen server has been carried out by now, and nobody comes any more.
    let gone = async || clients(old).await.is_empty().then_some(());
    wait_until("the old master has no clients", PATIENCE, gone)
        .await
        .unwrap();
    let connections = async || {
        let stats: String = old.command(&["INFO", "commandstats"]).await.unwrap();
        let calls = stats
            .lines()
            .filter(|line| line.starts_with("cmdstat_hello:"))
            .map(str::to_owned);
        calls.collect::<Vec<_>>()
    };
    let before = connections().await;
    for _ in 0..20 {
        receives_again(&n1, &n2, Instant::now()).await;
    }
    assert_eq!(connections().await, before);
    assert!(clients(old).await.is_empty());
    n1.is_up().await;
}

#[tokio::test]
async fn sentinels_with_a_password_and_a_dead_one_among_them_are_asked() {
    let options = DeploymentOptions {
        sentinel_password: Some("watch".to_owned()),
        ..DeploymentOptions::default()
    };
    let Some(redis) = sentinels(options).await else {
        return;
    };
    redis.sentinels()[0].kill().await.unwrap();
    nodes(&config(&redis)).await;
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_and_sentinels_that_are_gone_are_named() {
    let Some(redis) = sentinels(DeploymentOptions::default()).await else {
        return;
    };
    let is_down = async |config: &RedisConfig, why: &str| {
        let node = configured_node("n9", config);
        until(why, PATIENCE, || {
            let status = node.broker.status();
            status.state == BusState::Down && status.detail.contains(why)
        })
        .await;
        println!("{}", node.broker.status().detail);
    };
    let unknown = RedisConfig {
        sentinel_master: "other".to_owned(),
        ..config(&redis)
    };
    is_down(&unknown, "knows no master of the name `other`").await;
    for sentinel in redis.sentinels() {
        sentinel.kill().await.unwrap();
    }
    is_down(&config(&redis), "no Sentinel names the master `mymaster`").await;
}

#[tokio::test]
async fn nodes_stay_on_their_master_while_all_sentinels_are_gone() {
    let Some(redis) = sentinels(DeploymentOptions::default()).await else {
        return;
    };
    let (n1, n2) = nodes(&config(&redis)).await;
    for sentinel in redis.sentinels() {
        sentinel.kill().await.unwrap();
    }
    let killed: u64 = redis
        .command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
        .await
        .unwrap();
    assert!(killed >= 2, "{killed}");
    receives_again(&n1, &n2, Instant::now()).await;
}

/// The node's users have other names and passwords at the Sentinels than at Redis, and others than the servers among themselves.
#[tokio::test]
async fn users_and_passwords_of_sentinels_and_of_redis_are_separate_and_all_of_it_goes_over_tls() {
    let options = DeploymentOptions {
        server: RedisOptions {
            tls: Some(RedisTls::mutual().unwrap()),
            password: Some("of-the-servers".to_owned()),
            ..RedisOptions::default()
        },
        sentinel_password: Some("of-the-sentinels".to_owned()),
        ..DeploymentOptions::default()
    };
    let Some(redis) = sentinels(options).await else {
        return;
    };
    // The password of the documented lines is PASSWORD; the name at Redis is another one.
    for sentinel in redis.sentinels() {
        type_line(sentinel, &of_sentinels()).await;
    }
    let node = "ACL SETUSER node on >connected allkeys allchannels +@all".split(' ');
    let node: Vec<_> = node.map(str::to_owned).collect();
    for server in redis.servers() {
        type_line(server, &node).await;
    }
    let credentials = |username: &str, password: &str| RedisCredentials {
        username: Some(username.to_owned()),
        password: Some(Secret::new(password)),
    };
    let without_password = |sentinel: &RedisServer| {
        assert!(sentinel.url().starts_with("rediss://"));
        Secret::new(format!("rediss://127.0.0.1:{}", sentinel.shared_port()))
    };
    let config = RedisConfig {
        urls: redis.sentinels().iter().map(without_password).collect(),
        credentials: credentials("node", "connected"),
        sentinel_credentials: credentials("watch", "PASSWORD"),
        ..config(&redis)
    };
    let (n1, n2) = nodes(&config).await;
    redis.servers()[0].kill().await.unwrap();
    let promoted = until_promoted(&redis.servers()[1]).await;
    let took = receives_again(&n1, &n2, promoted).await;
    println!("healed {took:?} after the promotion");
    assert!(took <= HEALED_WITHIN, "{took:?}");
    let exchanged = RedisConfig {
        credentials: config.sentinel_credentials.clone(),
        sentinel_credentials: config.credentials.clone(),
        ..config
    };
    let n3 = configured_node("n3", &exchanged);
    until("the refusal is named", PATIENCE, || {
        let status = n3.broker.status();
        status.state == BusState::Down
            && status.detail.contains("no Sentinel names the master")
            && status.detail.contains("WRONGPASS")
    })
    .await;
    println!("{}", n3.broker.status().detail);
}
