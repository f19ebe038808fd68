//! Nodes that are killed, frozen and drained, under load.

use std::time::Duration;

use switchboard_testkit::{Cluster, Load, LoadPlan, Oracle, PATIENCE, TestPeer, wait_until};

use crate::{QUICK_PINGS, alone, check_ok, load_for, print};

/// How long the frozen node is frozen, in seconds.
const FROZEN_S: f64 = 20.0;

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_peers_lose_nothing_while_a_node_dies_one_freezes_redis_is_emptied_and_one_drains() {
    let _alone = alone().await;
    let long = std::env::var_os("SWITCHBOARD_LONG").is_some();
    // Between the faults, in seconds.
    let quiet = if long { 16.0 } else { 5.0 };
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 150,
        every: Duration::from_millis(500),
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(quiet).await;

    let fault = |name: &str| {
        let across = load.pairs_across();
        oracle.fault(&format!("{name} ({across} pairs across nodes)"));
        assert!(across > plan.pairs / 4, "the load still passes between nodes");
    };
    fault("n2 killed");
    cluster.nodes[1].kill().await.unwrap();
    load_for(quiet).await;
    fault("n2 started again");
    cluster.nodes[1].restart().await.unwrap();
    load_for(quiet).await;

    fault("n3 frozen");
    cluster.nodes[2].freeze().unwrap();
    load_for(FROZEN_S).await;
    fault("n3 thawed");
    cluster.nodes[2].thaw().unwrap();
    load_for(quiet).await;

    fault("Redis killed");
    cluster.redis.kill().await.unwrap();
    load_for(2.0).await;
    fault("Redis started again, empty");
    cluster.redis.restart().await.unwrap();
    load_for(quiet).await;

    fault("n1 drained");
    cluster.nodes[0].drain().await.unwrap();
    let left = async || (load.clients_on("n1") == 0).then_some(());
    let (_, took) = wait_until("everybody has left n1", PATIENCE, left).await.unwrap();
    println!("everybody had left n1 after {took:?}");
    load_for(quiet).await;
    check_ok(load, &oracle, &cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_elsewhere_after_kill_9_of_its_node_with_nothing_lost_and_nothing_twice() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let mut alice = TestPeer::start(&oracle, "alice", cluster.urls_from(0));
    let mut bob = TestPeer::start(&oracle, "bob", cluster.urls_from(1));
    let (from, to) = (alice.number, bob.number);
    let both = async || (oracle.connected() == 2).then_some(());
    wait_until("both are connected", PATIENCE, both).await.unwrap();
    for round in 1..=40_u64 {
        for _ in 0..10 {
            alice.send(to, "bob", 0).await.unwrap();
            bob.send(from, "alice", 0).await.unwrap();
        }
        if round == 20 {
            // While messages are under way.
            let under_way = async || (oracle.arrived(from, to) > 100).then_some(());
            wait_until("messages flow", PATIENCE, under_way).await.unwrap();
            oracle.fault("bob's node killed");
            cluster.nodes[1].kill().await.unwrap();
        }
    }
    oracle.settle().await;
    let report = oracle.report();
    print(&report, &oracle, &cluster);
    assert!(report.is_ok());
    assert_eq!((report.sent, report.delivered), (800, 800));
    assert_eq!((report.resumes, report.gaps), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_killed_and_started_again_at_once_cost_senders_a_wait_but_no_error() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 60,
        every: Duration::from_millis(100),
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    for index in [1, 2, 0, 1, 2, 0] {
        load_for(2.0).await;
        oracle.fault(&format!(
            "n{} killed ({} pairs across nodes)",
            index + 1,
            load.pairs_across()
        ));
        // At once, as a supervisor does: the lease of the new run shows that the old one is dead, just while its
        // clients claim their sessions elsewhere.
        cluster.nodes[index].restart().await.unwrap();
    }
    load_for(6.0).await;
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "everybody was back before any deadline");
    assert_eq!(report.gaps, 0);
}
