//! How a node reaches Redis: users and passwords, and servers that it must not use, each with its reason and the fix.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{Node, PATIENCE, configured_node, until};
use proptest::{
    strategy::{Strategy, ValueTree as _},
    test_runner::TestRunner,
};
use switchboard_broker::{RedisConfig, RedisCredentials, RedisMode};
use switchboard_core::BusState;
use switchboard_harness::{FaultProxy, RedisOptions, find_redis, or_skip};
use switchboard_protocol::Secret;

fn with_arguments(arguments: &[&str]) -> RedisOptions {
    RedisOptions {
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ..RedisOptions::default()
    }
}

/// Waits until the node says why it has no bus; the words contain `why`.
async fn is_refused(node: &Node, why: &str) {
    let took = until(why, PATIENCE, || {
        let status = node.broker.status();
        status.state == BusState::Down && status.detail.contains(why)
    });
    took.await;
    println!("{}", node.broker.status().detail);
}

/// Every byte as `%XX` that is not alphanumeric.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[tokio::test]
async fn any_user_and_password_reach_redis_in_the_url_and_from_a_file() {
    const CASES: usize = 24;
    let redis = redis!();
    // No user of Redis has a space or NUL in its name.
    let users = proptest::string::string_regex("[!-~]{1,20}|[\\p{L}\\p{S}]{1,8}").unwrap();
    let passwords = proptest::string::string_regex("[ -~]{1,40}|\\PC{1,20}").unwrap();
    let mut runner = TestRunner::default();
    for case in 0..CASES {
        let pair = (&users, &passwords).new_tree(&mut runner).unwrap();
        let (user, password) = pair.current();
        let words = [
            "ACL",
            "SETUSER",
            &user,
            "on",
            "~*",
            "&*",
            "+@all",
            &format!(">{password}"),
        ];
        redis.command::<String>(&words).await.unwrap();
        let encoded = format!("{}:{}", percent_encoded(&user), percent_encoded(&password));
        let in_url = RedisConfig::new(format!("redis://{encoded}@{}", redis.address()));
        let from_file = RedisConfig {
            credentials: RedisCredentials {
                username: Some(user.clone()),
                password: Some(Secret::new(&password)),
            },
            ..RedisConfig::new(redis.url())
        };
        for (how, config) in [("url", in_url), ("file", from_file)] {
            let node = configured_node(&format!("n{case}-{how}"), &config);
            let reason = format!("{user:?} {password:?} from a {how}");
            until(&reason, PATIENCE, || node.broker.status().state == BusState::Up).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_and_never_shown() {
    let redis = redis!(RedisOptions {
        password: Some("right".to_owned()),
        ..RedisOptions::default()
    });
    let wrong = configured_node(
        "n1",
        &RedisConfig::new(format!("redis://:hunter2@{}", redis.address())),
    );
    is_refused(&wrong, "the user or the password is wrong").await;
    assert!(!wrong.broker.status().detail.contains("hunter2"));
    let none = configured_node("n2", &RedisConfig::new(format!("redis://{}", redis.address())));
    is_refused(&none, "it asks for a password").await;
}

#[tokio::test]
async fn a_redis_that_is_too_old_is_named_with_its_version() {
    let Some(program) = or_skip(find_redis("redis-6.2")) else {
        return;
    };
    let redis = redis!(RedisOptions {
        program: Some(program),
        ..RedisOptions::default()
    });
    let node = configured_node("n1", &RedisConfig::new(redis.url()));
    is_refused(&node, "is redis 6.2.").await;
    is_refused(&node, "nodes need Redis 7.0 or later").await;
}

#[tokio::test]
async fn later_releases_of_redis_and_valkey_are_used() {
    for release in ["redis-8.2", "valkey-8.1", "valkey-9.1"] {
        let Some(program) = or_skip(find_redis(release)) else {
            continue;
        };
        let redis = redis!(RedisOptions {
            program: Some(program),
            ..RedisOptions::default()
        });
        let (n1, n2) = (
            configured_node("n1", &RedisConfig::new(redis.url())),
            configured_node("n2", &RedisConfig::new(redis.url().replace("redis:", "valkey:"))),
        );
        n1.is_up().await;
        n2.is_up().await;
        assert!(n2.attach("bob", 1).await.confirmed, "{release}");
        assert_eq!(n1.publish("bob", b"hello").await, Ok(1), "{release}");
    }
}

#[tokio::test]
async fn a_replica_is_refused_until_it_is_promoted() {
    let master = redis!();
    let port = master.port().to_string();
    let replica = redis!(with_arguments(&["--replicaof", "127.0.0.1", &port]));
    let node = configured_node("n1", &RedisConfig::new(replica.url()));
    is_refused(&node, "is a replica, and takes no writes").await;
    let promote = ["REPLICAOF", "NO", "ONE"];
    replica.command::<String>(&promote).await.unwrap();
    let took = until("the promoted replica is used", PATIENCE, || {
        node.broker.status().state == BusState::Up
    });
    println!("{:?}", took.await);
}

#[tokio::test]
async fn a_server_of_another_mode_is_refused_with_the_mode_to_set() {
    let member = redis!(with_arguments(&["--cluster-enabled", "yes"]));
    let node = configured_node("n1", &RedisConfig::new(member.url()));
    is_refused(
        &node,
        "belongs to a Redis Cluster; set broker.redis_mode = \"cluster\"",
    )
    .await;

    let single = redis!();
    let watched = RedisConfig {
        mode: RedisMode::Sentinel,
        sentinel_master: "mymaster".to_owned(),
        ..RedisConfig::new(single.url())
    };
    let node = configured_node("n2", &watched);
    is_refused(&node, "is no Sentinel").await;
}

#[tokio::test]
async fn another_protocol_is_no_redis() {
    let server = switchboard_harness::TlsServer::start(&[]);
    let Some(server) = or_skip(server) else { return };
    let node = configured_node("n1", &RedisConfig::new(format!("redis://{}", server.address())));
    is_refused(&node, "Redis at 127.0.0.1").await;
}

#[tokio::test]
async fn a_network_that_swallows_packets_is_noticed_and_left_within_seconds() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let node = configured_node("n1", &RedisConfig::new(format!("redis://{}", proxy.address())));
    node.is_up().await;
    for connection in proxy.connections() {
        proxy.freeze(connection.id);
    }
    let noticed = until("the node notices", Duration::from_secs(5), || {
        node.broker.status().state != BusState::Up
    });
    println!("noticed after {:?}", noticed.await);
    // New connections pass.
    let back = until("the node is connected anew", Duration::from_secs(5), || {
        node.broker.status().state == BusState::Up
    });
    println!("back after {:?}", back.await);
}
