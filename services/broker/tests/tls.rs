//! TLS towards Redis: an authority of one's own, client certificates, and a server that is not who it should be.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{path::Path, sync::Arc};

use common::{PATIENCE, configured_node, until};
use switchboard_broker::{RedisBroker, RedisConfig, RedisTls};
use switchboard_core::{Broker as _, BusState};
use switchboard_harness::{Certificate, RedisOptions, RedisServer, RedisTls as ServerTls};
use switchboard_protocol::{NodeId, Secret};
use switchboard_telemetry::Telemetry;

/// Serves TLS with these certificates.
fn serves(tls: &ServerTls) -> RedisOptions {
    RedisOptions {
        tls: Some(tls.clone()),
        ..RedisOptions::default()
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Trusts the server's authority, and shows this certificate.
fn config(redis: &RedisServer, tls: &ServerTls, client: Option<&Certificate>) -> RedisConfig {
    RedisConfig {
        tls: RedisTls {
            authorities: Some(read(&tls.ca_file())),
            client: client.map(|client| (read(&client.certificate), Secret::new(read(&client.key)))),
        },
        ..RedisConfig::new(redis.url())
    }
}

/// A node that is not up, because of `why`.
async fn is_refused(name: &str, config: &RedisConfig, why: &str) {
    let node = configured_node(name, config);
    until(why, PATIENCE, || {
        let status = node.broker.status();
        status.state == BusState::Down && status.detail.contains(why)
    })
    .await;
    println!("{}", node.broker.status().detail);
}

#[tokio::test]
async fn messages_pass_over_tls_with_an_authority_of_ones_own() {
    let tls = ServerTls::new().unwrap();
    let redis = redis!(serves(&tls));
    assert!(redis.url().starts_with("rediss://"));
    let config = config(&redis, &tls, None);
    let (n1, n2) = (configured_node("n1", &config), configured_node("n2", &config));
    n1.is_up().await;
    n2.is_up().await;
    assert!(n2.attach("bob", 1).await.confirmed);
    assert_eq!(n1.publish("bob", &[7; 20_000]).await, Ok(1));
    until("bob has it", PATIENCE, || n2.received(&[7; 20_000]) == 1).await;
    let plain: String = redis.command(&["CLIENT", "LIST"]).await.unwrap();
    let own_port = redis.shared_port().to_string();
    let over_tls = plain
        .lines()
        .filter(|line| line.contains(&format!("laddr=127.0.0.1:{own_port}")));
    assert!(over_tls.count() >= 4, "every connection of both nodes: {plain}");
}

#[tokio::test]
async fn an_unknown_authority_and_a_foreign_name_are_refused() {
    let tls = ServerTls::new().unwrap();
    let redis = redis!(serves(&tls));
    let unknown = RedisConfig {
        tls: RedisTls::default(),
        ..config(&redis, &tls, None)
    };
    is_refused("n1", &unknown, "UnknownIssuer").await;
    // The same server, by an address that its certificate does not have.
    let foreign = RedisConfig {
        urls: vec![Secret::new(
            redis.url().replace("127.0.0.1", "[::ffff:127.0.0.1]"),
        )],
        ..config(&redis, &tls, None)
    };
    is_refused("n2", &foreign, "not valid for name").await;
    let without = RedisConfig {
        urls: vec![Secret::new(redis.url().replace("rediss:", "redis:"))],
        tls: RedisTls::default(),
        ..config(&redis, &tls, None)
    };
    is_refused("n3", &without, "Redis at 127.0.0.1").await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_a_new_one_is_used_without_a_restart() {
    let tls = ServerTls::mutual().unwrap();
    let redis = redis!(serves(&tls));
    let without = config(&redis, &tls, None);
    let (node, events) = (NodeId::new("n1").unwrap(), Arc::new(common::Seen::default()));
    let broker = RedisBroker::start(&without, node, events, Telemetry::new("n1")).unwrap();
    until("it is refused", PATIENCE, || {
        broker.status().state == BusState::Down
    })
    .await;
    println!("{}", broker.status().detail);
    let with = config(&redis, &tls, tls.client());
    broker.set_credentials(&with).unwrap();
    until("it is connected", PATIENCE, || {
        broker.status().state == BusState::Up
    })
    .await;
}
