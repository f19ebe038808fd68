//! The fault suite: real Redis, real nodes, real faults, and an oracle that records every client. No fault of nodes or
//! networks loses a message silently, delivers one twice or out of order, or leaves a send without an outcome.
//! `SWITCHBOARD_LONG=1` makes the longest tests two minutes long. `SWITCHBOARD_TEST_REDIS=cluster:3+3` runs the tests that
//! choose no Redis themselves on another mode; `make faults` runs them on each.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chaos;
mod clients;
mod deaf;
mod modes;
mod nodes;
mod redis;
mod rolling;
mod sentinels;
mod servers;
mod slow;

use std::{sync::Arc, time::Duration};

use switchboard_testkit::{Cluster, FaultProxy, Load, NodeProcess, Oracle, OracleReport};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::sleep,
};

/// Clients are pinged every second, so that one whose node is frozen finds out in three. Nobody is moved for balance
/// (`tests/balance.rs`): these clients know no load balancer that keeps them away from a frozen node, and every
/// connect that such a node finds when it thaws is one more fault than the test means.
const QUICK_PINGS: &str = "[session]\nheartbeat_ms = 1000\n[rebalance]\nenabled = false\n";

/// One fault test at a time: each loads the machine, and some measure time.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Lets the load go on for that long. The time is the subject of the test, not a wait for a condition.
async fn load_for(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

/// Ends the load, prints the report and the recoveries, and checks that the report is ok.
async fn check_ok(load: Load, oracle: &Arc<Oracle>, cluster: &Cluster) -> OracleReport {
    let report = load.stop().await.unwrap();
    print(&report, oracle, cluster);
    assert!(
        report.is_ok(),
        "the delivery contract was broken; the traces are above"
    );
    report
}

/// Prints the report, and the traces and logs if it is not ok.
fn print(report: &OracleReport, oracle: &Oracle, cluster: &Cluster) {
    println!("{report}");
    for recovery in oracle.recoveries() {
        println!("{recovery}");
    }
    if !report.is_ok() || report.failures() > 0 {
        println!("{}", report.traces());
    }
    if !report.is_ok() {
        for (node, number) in cluster.nodes.iter().zip(1..) {
            let log = node.log();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains("\"INFO\"")).collect();
            let last = lines.len().saturating_sub(20);
            println!("n{number} logged last:\n{}", lines[last..].join("\n"));
        }
    }
}

/// Where clients find the nodes behind these proxies.
fn urls_of(proxies: &[FaultProxy]) -> Vec<String> {
    let urls = proxies
        .iter()
        .map(|proxy| format!("ws://{}/v1/ws", proxy.address()));
    urls.collect()
}

/// A proxy between each node and its clients.
async fn in_front_of(nodes: &[NodeProcess]) -> Vec<FaultProxy> {
    let mut proxies = Vec::new();
    for node in nodes {
        let upstream = ([127, 0, 0, 1], node.public_port()).into();
        proxies.push(FaultProxy::start(upstream).await.unwrap());
    }
    proxies
}

/// The next of a row of numbers that looks random; the same row for the same beginning, which must not be 0.
fn draw(state: &mut u64) -> usize {
    // Marsaglia, Xorshift RNGs, 2003.
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}
