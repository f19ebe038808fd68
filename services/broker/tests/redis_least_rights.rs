//! The documented users of Redis, in each mode: nodes do everything with exactly these rights, and use each of them. Not what
//! happens without one of them (`redis_rights`).

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::collections::BTreeMap;

use common::{
    PATIENCE,
    acl::{calls, of_a_database, of_cluster, of_sentinels, of_webhooks, plain, refusals, rights, type_line},
    configured_node,
    everything::use_everything,
    until,
};
use switchboard_broker::{RedisConfig, RedisCredentials, RedisMode};
use switchboard_harness::{
    DeploymentOptions, RedisDeployment, RedisServer, find_program, find_redis, or_skip, wait_until,
};
use switchboard_protocol::Secret;

/// Rights that this workload cannot use: `ASKING` belongs to a slot that moves (`redis_cluster` moves some).
const UNUSED: [&str; 1] = ["asking"];

/// The commands of this test itself, on each server.
const OWN: [&str; 2] = ["client|kill", "info"];

fn credentials(user: &str) -> RedisCredentials {
    RedisCredentials {
        username: Some(user.to_owned()),
        password: Some(Secret::new("PASSWORD")),
    }
}

/// Servers of this release; without one, of that on PATH.
async fn start(layout: &str, release: Option<&str>) -> Option<RedisDeployment> {
    let program = match release {
        Some(release) => or_skip(find_redis(release))?,
        None => or_skip(find_program("redis-server"))?,
    };
    let mut options = DeploymentOptions::default();
    options.server.program = Some(program);
    let started = RedisDeployment::start_with(layout.parse().unwrap(), options).await;
    Some(started.unwrap())
}

/// The nodes' user of the servers, and another one of Sentinels.
fn config(redis: &RedisDeployment, watch: &str) -> RedisConfig {
    let plain = common::redis::config(redis);
    RedisConfig {
        credentials: credentials("switchboard"),
        sentinel_credentials: match plain.mode {
            RedisMode::Sentinel => credentials(watch),
            RedisMode::Standalone | RedisMode::Cluster | RedisMode::Sharded => RedisCredentials::default(),
        },
        ..plain
    }
}

/// Does everything with the documented users; the rights that were used by none of the nodes' commands.
async fn unused(layout: &str, release: Option<&str>, line: Vec<String>) -> Option<Vec<String>> {
    let redis = start(layout, release).await?;
    for server in redis.servers() {
        type_line(server, &line).await;
        type_line(server, &of_webhooks()).await;
    }
    for sentinel in redis.sentinels() {
        type_line(sentinel, &of_sentinels()).await;
    }
    let config = config(&redis, "watch");
    let before = calls(redis.servers()).await;
    let node = async |name: &str| {
        let node = configured_node(name, &config);
        node.is_up().await;
        node
    };
    let cut = async || {
        for server in redis.servers() {
            let kill = ["CLIENT", "KILL", "USER", "switchboard"];
            server.command::<u64>(&kill).await.unwrap();
        }
    };
    use_everything(node, cut).await;
    let refused = [refusals(redis.servers()).await, refusals(redis.sentinels()).await];
    assert!(refused.concat().is_empty(), "{refused:?}");
    let more = of_webhooks();
    let of_servers = [rights(&line), rights(&more)].concat();
    Some(never_called(&of_servers, redis.servers(), &before).await)
}

async fn never_called(
    rights: &[&str],
    servers: &[RedisServer],
    before: &BTreeMap<String, u64>,
) -> Vec<String> {
    let after = calls(servers).await;
    let is_used = |right: &&&str| {
        let count = |calls: &BTreeMap<String, u64>| calls.get(**right).copied().unwrap_or_default();
        let own = if OWN.contains(*right) {
            servers.len() as u64
        } else {
            0
        };
        count(&after) > count(before) + own
    };
    let unused = rights.iter().filter(|right| !is_used(right));
    unused.map(|right| (*right).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_server_nodes_do_everything_with_the_documented_rights_and_need_each() {
    if let Some(unused) = unused("standalone", None, plain()).await {
        assert_eq!(unused, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_sentinels_nodes_do_everything_with_the_documented_rights_and_need_each() {
    if let Some(unused) = unused("sentinel", None, plain()).await {
        assert_eq!(unused, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_redis_cluster_nodes_do_everything_with_the_documented_rights_and_need_each() {
    if let Some(unused) = unused("cluster:3+3", None, of_cluster()).await {
        assert_eq!(unused, UNUSED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_independent_servers_nodes_do_everything_with_the_documented_rights_and_need_each() {
    if let Some(unused) = unused("sharded:3", None, plain()).await {
        assert_eq!(unused, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_releases_of_redis_and_valkey_need_no_other_rights() {
    let all = ["redis-8.2", "valkey-8.1", "valkey-9.1"].map(async |release| {
        let (alone, cluster) = tokio::join!(
            unused("standalone", Some(release), plain()),
            unused("cluster:3+0", Some(release), of_cluster()),
        );
        assert!(alone.is_none_or(|unused| unused.is_empty()), "{release}");
        assert!(cluster.is_none_or(|unused| unused == UNUSED), "{release}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_of_the_user_of_sentinels_is_needed_and_its_lack_is_named() {
    let Some(redis) = start("sentinel", None).await else {
        return;
    };
    for server in redis.servers() {
        type_line(server, &plain()).await;
    }
    let line = of_sentinels();
    let mut nodes = Vec::new();
    for (number, right) in rights(&line).into_iter().enumerate() {
        let user = format!("watch{number}");
        let mut lacking = line.clone();
        lacking[2].clone_from(&user);
        lacking.push(format!("-{right}"));
        for sentinel in redis.sentinels() {
            type_line(sentinel, &lacking).await;
        }
        let node = configured_node(&user, &config(&redis, &user));
        // Only when the master is down Sentinels are asked whether they can elect another one.
        if right != "sentinel|ckquorum" {
            until(right, PATIENCE, || node.broker.status().detail.contains("NOPERM")).await;
            println!("{right}: {}", node.broker.status().detail);
        } else {
            node.is_up().await;
            redis.servers()[0].kill().await.unwrap();
        }
        let is_refused = async || {
            let refused = refusals(redis.sentinels()).await;
            refused.contains(&(user.clone(), right.to_owned())).then_some(())
        };
        wait_until(right, PATIENCE, is_refused).await.unwrap();
        nodes.push(node);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_needs_one_right_more_and_its_lack_is_named() {
    let Some(redis) = start("standalone", None).await else {
        return;
    };
    let line: Vec<String> = plain().iter().map(|word| word.replace("sb:", "sb@3:")).collect();
    type_line(&redis, &line).await;
    let in_3 = RedisConfig {
        urls: vec![Secret::new(format!("{}/3", redis.url()))],
        ..config(&redis, "")
    };
    let node = configured_node("n1", &in_3);
    until("the right is named", PATIENCE, || {
        node.broker.status().detail.contains("'select'")
    })
    .await;
    type_line(&redis, &of_a_database()).await;
    node.is_up().await;
    node.attach("bob", 1).await;
    assert_eq!(node.publish("bob", b"hello").await, Ok(1));
}
