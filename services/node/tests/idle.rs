//! What an idle connection costs a node in memory. docs/performance.md has the figures of release builds and of Redis, and
//! `port_tls/idle.rs` has what TLS adds.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{ALONE, Node, token};
use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{PATIENCE, resident_kib, wait_until};
use switchboard_protocol::MessageKind;

/// Connections that pay for what all of them share.
const FIRST: usize = 500;

/// Connections at the end.
const LAST: usize = 3_000;

/// The bar, in KiB for each connection; a debug build needs 2.4.
const MOST_KIB: f64 = 2.6;

const LIMITS: &str = "[limits]\nconnections_per_peer = 0\npeer_connects_per_second = 100000\n";

/// Connects peers until there are `count`; each has sent itself a message and got it.
async fn connect(node: &Node, open: &mut Vec<Client>, count: usize) {
    let payload = serde_json::value::to_raw_value("hello").unwrap();
    while open.len() < count {
        let peer = format!("peer-{}", open.len());
        let options = ConnectOptions::new(node.process.url(), token(&peer));
        let mut client = Client::connect(&options).await.unwrap();
        let kind = MessageKind::Message;
        let report = client
            .send_and_confirm(kind, &peer, &payload, PATIENCE)
            .await
            .unwrap();
        assert!(report.is_delivered(), "{report:?}");
        open.push(client);
    }
}

#[tokio::test]
async fn an_idle_connection_costs_no_more_than_its_bar_after_a_message() {
    let node = Node::start(&format!("{ALONE}{LIMITS}")).await;
    let pid = node.process.pid().unwrap();
    let mut open = Vec::new();
    connect(&node, &mut open, FIRST).await;
    let before = resident_kib(pid).unwrap();
    connect(&node, &mut open, LAST).await;
    // The allocator gives pages of the messages back within a second or two.
    let mut cost = 0.0;
    let fell = wait_until("a small cost of a connection", PATIENCE, async || {
        cost = (resident_kib(pid).unwrap() - before) / (LAST - FIRST) as f64;
        (cost <= MOST_KIB).then_some(())
    });
    let fell = fell.await;
    println!("an idle connection: {cost:.2} KiB");
    assert!(
        fell.is_ok(),
        "{cost:.2} KiB for each connection, and the bar is {MOST_KIB}"
    );
}
