//! A rolling restart under load: each node in turn gets SIGTERM, drains, ends and is started again.

use std::time::Duration;

use switchboard_testkit::{Cluster, Load, LoadPlan, Oracle, PATIENCE};

use crate::{QUICK_PINGS, alone, check_ok, load_for};

/// The longest that a peer may be without a connection.
const MOST_WITHOUT: Duration = Duration::from_millis(50);

/// A drain that gives every client time to move before it is closed.
pub(super) const DRAIN: &str =
    "[drain]\nsettle_ms = 200\nwindow_ms = 1500\ngrace_ms = 1500\ndeadline_ms = 6000\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_all_nodes_under_load_loses_nothing_and_leaves_nobody_without_a_connection() {
    let _alone = alone().await;
    let config = format!("{QUICK_PINGS}{DRAIN}");
    let cluster = Cluster::start_with(3, &config).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 100,
        every: Duration::from_millis(500),
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;
    for index in 0..cluster.nodes.len() {
        oracle.fault(&format!("n{} gets SIGTERM", index + 1));
        let node = &cluster.nodes[index];
        node.terminate().unwrap();
        assert_eq!(node.wait_ended(PATIENCE).await.unwrap().code(), Some(0));
        node.restart().await.unwrap();
    }
    load_for(1.0).await;
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "no send failed");
    assert!(report.connects > 300, "everybody had to move");
    let (longest, peer) = &report.longest_disconnected;
    assert!(
        *longest <= MOST_WITHOUT,
        "{peer} had no connection for {longest:?}"
    );
}
