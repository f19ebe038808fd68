//! What Redis needs for peers, in each mode: memory for each, and the commands that each operation sends. The figures do not
//! depend on the machine or the build. Not the CPU time (`redis_cost`). docs/operating.md has the table.

#![expect(clippy::unwrap_used, reason = "a measurement that fails must stop")]

#[path = "../../tests/common/mod.rs"]
mod common;
mod monitor;
mod steps;

use common::{Node, configured_node};
use monitor::Monitor;
use switchboard_broker::{RedisConfig, RedisMode};
use switchboard_harness::{RedisDeployment, RedisServer};
use switchboard_protocol::Secret;

/// Peers of each measurement.
pub(crate) const PEERS: usize = 2_000;

/// Peers whose commands are counted: MONITOR shows each.
pub(crate) const COUNTED: usize = 50;

const LAYOUTS: [(&str, RedisMode); 3] = [
    ("standalone", RedisMode::Standalone),
    ("cluster:3+0", RedisMode::Cluster),
    ("sharded:3", RedisMode::Sharded),
];

/// The servers of one layout, and two nodes on them.
pub(crate) struct Site {
    pub(crate) redis: RedisDeployment,
    pub(crate) n1: Node,
    pub(crate) n2: Node,
}

impl Site {
    /// Bytes that all servers use.
    pub(crate) async fn memory(&self) -> f64 {
        let mut bytes = 0.0;
        for server in self.redis.servers() {
            bytes += field(server, "memory", "used_memory:").await;
        }
        bytes
    }

    /// Connections of both nodes to the first server.
    async fn connections(&self) -> f64 {
        // This question has one of its own.
        field(&self.redis.servers()[0], "clients", "connected_clients:").await - 1.0
    }
}

async fn field(server: &RedisServer, section: &str, name: &str) -> f64 {
    let text: String = server.command(&["INFO", section]).await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().parse().unwrap()
}

/// One column of the table: the name of each row, and its value.
async fn measure(layout: &str, mode: RedisMode) -> Vec<(String, String)> {
    let redis = RedisDeployment::start(layout.parse().unwrap()).await.unwrap();
    let config = RedisConfig {
        mode,
        urls: redis.urls().into_iter().map(Secret::new).collect(),
        ..RedisConfig::new("")
    };
    let before = field(&redis.servers()[0], "clients", "connected_clients:").await - 1.0;
    let (n1, n2) = (configured_node("n1", &config), configured_node("n2", &config));
    n1.is_up().await;
    n2.is_up().await;
    let site = Site { redis, n1, n2 };
    // All pooled connections are made within the first seconds; this time is the subject.
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    let mut rows = vec![(
        "connections of a node to each server".to_owned(),
        format!("{:.1}", (site.connections().await - before) / 2.0),
    )];
    rows.extend(steps::memory(&site).await);
    rows.extend(steps::commands(&site).await);
    let monitor = Monitor::start(site.redis.servers()).await;
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let (sent, inner) = monitor.stop("sb").await;
    let second = |count: usize| count as f64 / 20.0;
    rows.push((
        "commands a second of a node without peers".to_owned(),
        format!("{:.0} + {:.0}", second(sent), second(inner)),
    ));
    rows
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut columns = Vec::new();
    for (layout, mode) in LAYOUTS {
        eprintln!("{layout}");
        columns.push(measure(layout, mode).await);
    }
    let names: Vec<_> = LAYOUTS.iter().map(|(layout, _)| format!("`{layout}`")).collect();
    println!("| | {} |\n| --- | --- | --- | --- |", names.join(" | "));
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let values: Vec<_> = columns.iter().map(|column| column[index].1.clone()).collect();
        println!("| {name} | {} |", values.join(" | "));
    }
}
