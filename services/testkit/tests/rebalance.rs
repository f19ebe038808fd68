//! Balance between real nodes under load: a node that is added gets its share of the connections, connections move
//! when they reach their age, and nothing is lost meanwhile. Not the decisions themselves, which `core` tests without
//! a network.
//! `SWITCHBOARD_LONG=1` makes it 3,000 connections at the pace that a node has by itself.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use switchboard_testkit::{Cluster, Load, LoadPlan, Oracle, PATIENCE, wait_until};
use tokio::time::sleep;

/// Within that time of a new node no node may have more than its share.
const BALANCED_WITHIN: Duration = Duration::from_secs(60);

/// What a node may have: the watermark of the configuration.
const WATERMARK: f64 = 1.1;

/// Clients that a node asked to make room.
const ASKED: &str = "switchboard_goaways_total{reason=\"rebalance\"}";

/// What a node knows of the connections of all.
const MEAN: &str = "switchboard_cluster_mean_connections";

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
            config: "[rebalance]\nenabled = true\n",
        };
    }
    Size {
        pairs: 300,
        every: Duration::from_secs(2),
        config: "[rebalance]\nenabled = true\nsettle_ms = 500\nrate_share = 0.2\n",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_node_gets_its_share_of_the_connections_and_nothing_is_lost_meanwhile() {
    let size = size();
    let cluster = Cluster::start_with(3, size.config).await.unwrap();
    // Known to all clients, and away when they come.
    cluster.nodes[2].terminate().unwrap();
    cluster.nodes[2].wait_ended(PATIENCE).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: size.pairs,
        every: size.every,
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    let all = size.pairs * 2;
    let most = (WATERMARK * all as f64 / 3.0) as usize;
    assert!(load.clients_on("n1") > most && load.clients_on("n2") > most);

    cluster.nodes[2].restart().await.unwrap();
    let names = ["n1", "n2", "n3"];
    let is_balanced = async || {
        let counts = names.map(|node| load.clients_on(node));
        (counts.iter().sum::<usize>() == all && counts.iter().all(|count| *count <= most)).then_some(counts)
    };
    let balanced = wait_until("no node has more than its share", BALANCED_WITHIN, is_balanced).await;
    let ((counts, took), mut asked) = (balanced.unwrap(), 0.0);
    for node in &cluster.nodes {
        asked += node.metric(ASKED).await.unwrap();
    }
    println!("{counts:?} after {took:?}; {asked} clients were asked to move");
    // Clients that were asked take the nodes in turn, so one may get too many for a moment. It comes to rest within the
    // share, and every node knows the same of all.
    let mean = (all / 3) as f64;
    let is_at_rest = async || {
        for node in &cluster.nodes {
            if node.metric(MEAN).await? != mean {
                return None;
            }
        }
        is_balanced().await
    };
    let (counts, took) = wait_until("the cluster comes to rest", BALANCED_WITHIN, is_at_rest)
        .await
        .unwrap();
    println!("{counts:?} at rest after {took:?}");
    nothing_is_lost(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_reach_their_age_move_and_nothing_is_lost() {
    let config = "[rebalance]\nsettle_ms = 0\nmax_connection_age_s = 2\nmax_connection_age_jitter = 0.5\n";
    let cluster = Cluster::start_with(2, config).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 5,
        every: Duration::from_millis(100),
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    let all_have_moved = async || {
        let mut resumed = 0.0;
        for node in &cluster.nodes {
            let aged = node.metric("switchboard_goaways_total{reason=\"age\"}").await?;
            let complete = node
                .metric("switchboard_resumes_total{outcome=\"complete\"}")
                .await?;
            resumed += complete.min(aged);
        }
        (resumed >= 10.0).then_some(())
    };
    let moved = wait_until("ten connections have moved", PATIENCE, all_have_moved).await;
    println!("after {:?}", moved.unwrap().1);
    nothing_is_lost(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_to_move_while_redis_is_away_and_a_draining_node_is_not_counted() {
    let config = "[rebalance]\nenabled = true\nsettle_ms = 0\nmin_connections = 1\nrate_share = 0\nrate_connections = 5\n";
    let cluster = Cluster::start_proxied(2, config).await.unwrap();
    let (n1, n2) = (&cluster.nodes[0], &cluster.nodes[1]);
    let asked = async || n1.metric(ASKED).await.unwrap();
    // They stay where they are, whatever they are asked.
    let mut clients = vec![cluster.connect(1, "other").await.unwrap()];
    for number in 0..99 {
        clients.push(cluster.connect(0, &format!("p{number}")).await.unwrap());
    }
    let has_begun = async || (asked().await > 0.0).then_some(());
    let begun = wait_until("n1 asks clients to move", PATIENCE, has_begun).await;
    begun.unwrap();
    for proxy in &cluster.proxies {
        proxy.refuse(true);
        proxy.cut_all();
    }
    let is_down = async || (n1.status("/readyz").await == Some(503)).then_some(());
    let down = wait_until("n1 knows that Redis is away", PATIENCE, is_down).await;
    down.unwrap();
    let before = asked().await;
    // The time in which nothing is to happen; at the pace above it would be twenty.
    sleep(Duration::from_secs(4)).await;
    let meanwhile = asked().await - before;
    assert!(
        meanwhile <= 5.0,
        "{meanwhile}: more than the second that had begun"
    );
    let before = asked().await;
    for proxy in &cluster.proxies {
        proxy.refuse(false);
    }
    let goes_on = async || (asked().await > before).then_some(());
    let gone_on = wait_until("n1 goes on when Redis is back", PATIENCE, goes_on).await;
    gone_on.unwrap();

    let mean_on_n2 = async |mean: f64| {
        let known = async || (n2.metric(MEAN).await? == mean).then_some(());
        wait_until("n2 knows the mean", PATIENCE, known).await.unwrap();
    };
    mean_on_n2(50.0).await;
    n1.drain().await.unwrap();
    mean_on_n2(1.0).await;
}

async fn nothing_is_lost(load: Load) {
    let report = load.stop().await.unwrap();
    println!("{report}");
    if !report.is_ok() {
        println!("{}", report.traces());
    }
    assert!(
        report.is_ok(),
        "the delivery contract was broken; the traces are above"
    );
    assert_eq!(report.failures(), 0, "no send failed");
}
