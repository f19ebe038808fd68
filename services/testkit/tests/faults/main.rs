//! The fault suite: real Redis, real nodes, real faults, and an oracle that reads every client's log. Lost in
//! silence, delivered twice, out of order, without a final word: 0, whatever happens to nodes and networks.
//! `SWITCHBOARD_LONG=1` makes the longest of them two minutes long.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chaos;
mod clients;
mod deaf;
mod nodes;
mod oracle;
mod redis;
mod rolling;
mod slow;

use std::{sync::Arc, time::Duration};

use switchboard_testkit::{Cluster, FaultProxy, Load, NodeProcess, Oracle, Verdict};
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

/// Lets the load go on for that long. It is the subject of the test, not a wait for something.
async fn load_for(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

/// Ends the load, prints the table and how each fault healed, and demands that the promise was kept.
async fn kept(load: Load, oracle: &Arc<Oracle>, cluster: &Cluster) -> Verdict {
    let verdict = load.stop().await.unwrap();
    print(&verdict, oracle, cluster);
    assert!(verdict.is_kept(), "the promise was broken; the stories are above");
    verdict
}

/// Prints what is known, and of a broken promise all that helps to find out why.
fn print(verdict: &Verdict, oracle: &Oracle, cluster: &Cluster) {
    println!("{verdict}");
    for heal in oracle.heals() {
        println!("{heal}");
    }
    if !verdict.is_kept() || verdict.failures() > 0 {
        println!("{}", verdict.stories());
    }
    if !verdict.is_kept() {
        for (node, number) in cluster.nodes.iter().zip(1..) {
            let log = node.log();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains("\"INFO\"")).collect();
            let last = lines.len().saturating_sub(20);
            println!("n{number} logged last:\n{}", lines[last..].join("\n"));
        }
    }
}

/// A proxy between its clients and each node.
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
