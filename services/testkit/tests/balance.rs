//! Balance between real nodes under load: a node that is added gets its share of the connections, and nothing is
//! lost meanwhile. Not the decisions themselves, which `core` tests without a network.
//! `SWITCHBOARD_LONG=1` makes it 3,000 connections at the pace that a node has by itself.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use switchboard_testkit::{Cluster, Load, LoadPlan, Oracle, PATIENCE, wait_until};

/// Within that time of a new node no node may have more than its share.
const BALANCED_WITHIN: Duration = Duration::from_secs(60);

/// What a node may have: the watermark of the configuration.
const WATERMARK: f64 = 1.1;

/// A test that is quick, or that is as long as life.
struct Size {
    pairs: usize,
    every: Duration,
    config: &'static str,
}

fn size() -> Size {
    if std::env::var_os("SWITCHBOARD_LONG").is_some() {
        return Size {
            pairs: 1500,
            every: Duration::from_secs(5),
            config: "",
        };
    }
    Size {
        pairs: 300,
        every: Duration::from_secs(2),
        config: "[balance]\nsettle_ms = 500\npace_share = 0.2\n",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_node_gets_its_share_of_the_connections_and_nothing_is_lost_meanwhile() {
    let size = size();
    let mut cluster = Cluster::start_with(3, size.config).await.unwrap();
    // Known to all clients, and away when they come.
    cluster.nodes[2].signal("TERM").unwrap();
    cluster.nodes[2].ended(PATIENCE).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: size.pairs,
        every: size.every,
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    let all = size.pairs * 2;
    let most = (WATERMARK * all as f64 / 3.0) as usize;
    assert!(load.clients_on("n1") > most && load.clients_on("n2") > most);

    cluster.nodes[2].start_again().unwrap();
    cluster.nodes[2].ready().await.unwrap();
    let names = ["n1", "n2", "n3"];
    let is_balanced = async || {
        let counts = names.map(|node| load.clients_on(node));
        (counts.iter().sum::<usize>() == all && counts.iter().all(|count| *count <= most)).then_some(counts)
    };
    let balanced = wait_until("no node has more than its share", BALANCED_WITHIN, is_balanced).await;
    let ((counts, took), mut asked) = (balanced.unwrap(), 0.0);
    for node in &cluster.nodes {
        let series = "switchboard_goaways_total{reason=\"balance\"}";
        asked += node.metric(series).await.unwrap();
    }
    println!("{counts:?} after {took:?}; {asked} clients were asked to move");
    // It stays so: what the nodes know of each other comes to rest.
    let mean = (all / 3) as f64;
    for node in &cluster.nodes {
        let knows = async || {
            let known = node.metric("switchboard_cluster_mean_connections").await?;
            (known == mean).then_some(())
        };
        let known = wait_until("all connections are counted once", PATIENCE, knows).await;
        known.unwrap();
    }
    let counts = names.map(|node| load.clients_on(node));
    println!("{counts:?} in the end");
    assert!(counts.iter().all(|count| *count <= most));
    let verdict = load.stop().await.unwrap();
    println!("{verdict}");
    if !verdict.is_kept() {
        println!("{}", verdict.stories());
    }
    assert!(verdict.is_kept(), "the promise was broken; the stories are above");
    assert_eq!(verdict.failures(), 0, "no sender was told of an error");
}
