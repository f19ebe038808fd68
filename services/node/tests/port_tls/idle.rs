//! What an idle connection costs with TLS, above one without. docs/performance.md has the figures of a release build.

use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{NodeProcess, resident_kib};

use crate::{
    common::{ALONE, Node, token},
    secure::Secure,
};

const CONNECTIONS: usize = 1_000;

/// The bound, in KiB.
const MOST_KIB: f64 = 12.0;

const LIMITS: &str = "[limits]\nconnections_per_peer = 0\npeer_connects_per_second = 100000\n";

/// KiB that each of many idle connections adds to the node.
async fn cost(node: &NodeProcess, options: &ConnectOptions) -> f64 {
    let pid = node.pid().unwrap();
    let mut open = Vec::new();
    let connect = async |count: usize, open: &mut Vec<Client>| {
        for _ in 0..count {
            let options = ConnectOptions {
                token: token(&format!("peer-{}", open.len())),
                ..options.clone()
            };
            open.push(Client::connect(&options).await.unwrap());
        }
    };
    // The first ones pay for what all of them share.
    connect(100, &mut open).await;
    let before = resident_kib(pid).unwrap();
    connect(CONNECTIONS, &mut open).await;
    (resident_kib(pid).unwrap() - before) / CONNECTIONS as f64
}

#[tokio::test]
async fn an_idle_connection_costs_at_most_12_kib_more_with_tls() {
    let plain = Node::start(&format!("{ALONE}{LIMITS}")).await;
    let options = ConnectOptions::new(plain.process.url(), token("x"));
    let without = cost(&plain.process, &options).await;
    let secure = Secure::start(LIMITS).await;
    let with = cost(&secure.node.process, &secure.options("x")).await;
    println!("an idle connection: {without:.1} KiB without TLS, {with:.1} KiB with TLS");
    assert!(
        with - without <= MOST_KIB,
        "{with} KiB with TLS, {without} KiB without"
    );
}
