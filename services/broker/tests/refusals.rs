//! A Redis that answers but takes no writes: the node says so, with the reason, and works again as soon as Redis does.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use common::{
    Node, PATIENCE,
    acl::{plain, type_line},
    claim, key, next_mid, redis_node, until,
};
use switchboard_core::{BrokerError, BusState};
use switchboard_harness::{FaultProxy, RedisServer, wait_until};

async fn ok(redis: &RedisServer, words: &[&str]) {
    let _: String = redis.command(words).await.unwrap();
}

async fn until_refusing(node: &Node, code: &str) {
    let took = until(code, PATIENCE, || {
        let status = node.broker.status();
        status.state != BusState::Up && status.detail.contains(code)
    })
    .await;
    println!("{code} after {took:?}: {}", node.broker.status().detail);
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_named_and_clients_are_refused_until_it_does() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    ok(&redis, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let newcomer = n1.broker.attach(&key("bob"), claim(1)).await;
    assert_eq!(newcomer.map(|_| ()), Err(BrokerError::Refused));
    until_refusing(&n1, "NOREPLICAS").await;
    ok(&redis, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    up_again(&n1).await;
    assert!(n1.attach("bob", 1).await.confirmed);
}

#[tokio::test]
async fn a_full_redis_is_named_and_keeps_the_lease() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    ok(&redis, &["CONFIG", "SET", "maxmemory", "1"]).await;
    until_refusing(&n1, "OOM").await;
    for _ in 0..2 {
        // A renewal sets the time to live anew.
        let left_ms = async || redis.command::<u64>(&["PTTL", "sb:l:n1"]).await.ok();
        let is_fresh = async || left_ms().await.filter(|left| *left > 9_500);
        wait_until("the lease is renewed", PATIENCE, is_fresh)
            .await
            .unwrap();
        let is_older = async || left_ms().await.filter(|left| *left <= 9_500);
        wait_until("the lease gets older", PATIENCE, is_older)
            .await
            .unwrap();
        assert_eq!(n1.broker.status().state, BusState::Refusing);
    }
    ok(&redis, &["CONFIG", "SET", "maxmemory", "0"]).await;
    up_again(&n1).await;
}

async fn up_again(node: &Node) {
    let took = until("it is up again", Duration::from_secs(2), || {
        node.broker.status().state == BusState::Up
    })
    .await;
    println!("up again after {took:?}");
}

#[tokio::test]
async fn a_right_that_the_nodes_user_lacks_is_named() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    ok(&redis, &["ACL", "SETUSER", "default", "-hset"]).await;
    let newcomer = n1.broker.attach(&key("bob"), claim(1)).await;
    assert_eq!(newcomer.map(|_| ()), Err(BrokerError::Refused));
    until_refusing(&n1, "NOPERM").await;
    ok(&redis, &["ACL", "SETUSER", "default", "+hset"]).await;
    assert!(n1.attach("bob", 1).await.confirmed);
    n1.is_up().await;
}

#[tokio::test]
async fn the_command_whose_right_is_missing_is_named() {
    let redis = redis!();
    for command in [
        "publish",
        "subscribe",
        "evalsha",
        "script|load",
        "hset",
        "hmget",
        "get",
        "pexpire",
    ] {
        let user = format!("without-{}", command.replace('|', "-"));
        let mut line = plain();
        line[2].clone_from(&user);
        line.push(format!("-{command}"));
        type_line(&redis, &line).await;
        let node = redis_node(&user, &format!("redis://{user}:PASSWORD@{}", redis.address()));
        let bob = key("bob");
        // Redis writes it in quotes, and the node, where Redis does not, in back quotes.
        let is_named = async || {
            let _ = node.broker.publish(next_mid(), &bob, b"hello".to_vec());
            let attach = node.broker.attach(&bob, claim(1));
            let _ = tokio::time::timeout(Duration::from_millis(100), attach).await;
            let detail = node.broker.status().detail;
            let names = [format!("'{command}'"), format!("`{command}`")];
            names.iter().any(|name| detail.contains(name)).then_some(())
        };
        wait_until(&format!("`{command}` is named"), PATIENCE, is_named)
            .await
            .unwrap();
        println!("{}", node.broker.status().detail);
    }
}

/// No run takes every path, so the names in the code are compared, too.
#[test]
fn the_documented_user_of_redis_may_use_every_command_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/operating.md")).unwrap();
    let allowed: BTreeSet<_> = page
        .split('+')
        .skip(1)
        .filter_map(|right| right.split(|c: char| !c.is_ascii_lowercase()).next())
        .collect();
    let mut used = BTreeSet::new();
    names_in(&root.join("src"), &mut used);
    assert!(used.len() > 40, "{used:?}");
    let missing: Vec<_> = used
        .iter()
        .filter(|name| !allowed.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/operating.md lacks {missing:?}");
}

/// The commands that scripts call, and those of the crate itself.
fn names_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_in(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for before in ["redis.call('", "redis.pcall('", "cmd(\""] {
            let names = text.split(before).skip(1);
            let names = names.filter_map(|rest| rest.split(['\'', '"']).next());
            let is_name = |name: &&str| name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
            found.extend(names.filter(is_name).map(str::to_lowercase));
        }
    }
}

#[tokio::test]
async fn after_a_failover_behind_one_name_the_nodes_dial_the_new_master_within_five_seconds() {
    let (a, b) = (redis!(), redis!());
    let name = FaultProxy::start(a.address()).await.unwrap();
    let url = format!("redis://{}", name.address());
    let (n1, n2) = (redis_node("n1", &url), redis_node("n2", &url));
    n1.is_up().await;
    n2.is_up().await;
    n2.attach("bob", 1).await;
    name.lead_to(b.address());
    ok(&a, &["REPLICAOF", "127.0.0.1", &b.port().to_string()]).await;
    let promoted = Instant::now();
    let channels = async || -> usize {
        let channels: Vec<String> = b.command(&["PUBSUB", "CHANNELS", "sb:*"]).await.unwrap();
        channels.len()
    };
    while channels().await < 3 {
        assert!(
            promoted.elapsed() < Duration::from_secs(5),
            "{:?}",
            n2.broker.status()
        );
    }
    until("bob receives", Duration::from_secs(5), || {
        let _ = n1.broker.publish(next_mid(), &key("bob"), b"over b".to_vec());
        n2.received(b"over b") > 0
    })
    .await;
    n1.is_up().await;
    n2.is_up().await;
    let took = promoted.elapsed();
    println!("healed {took:?} after the failover");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(n1.attach("eve", 2).await.confirmed);
}

#[tokio::test]
async fn a_lease_without_a_connection_of_its_own_is_renewed_by_the_publisher() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let n1 = redis_node("n1", &format!("redis://{}", proxy.address()));
    n1.is_up().await;
    n1.attach("bob", 1).await;
    // The publisher connects first. From here on nobody connects, as at `maxclients`.
    let publisher = proxy.connections().iter().map(|one| one.id).min().unwrap();
    proxy.refuse(true);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(12) {
        for one in proxy.connections() {
            if !one.subscribes && one.id != publisher {
                proxy.cut(one.id);
            }
        }
        let left: i64 = redis
            .command::<String>(&["GET", "sb:l:n1"])
            .await
            .map_or(0, |_| 1);
        assert_eq!(left, 1, "the lease lasts");
        assert_eq!(n1.broker.status().state, BusState::Up);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(n1.takeovers().is_empty());
}
