//! The ways between nodes and Redis: cut, half open, slow, and killed by Redis itself, under load.

use std::time::Duration;

use switchboard_testkit::{Cluster, ConnectionInfo, FaultProxy, Load, LoadPlan, Oracle, Side};

use crate::{QUICK_PINGS, alone, check_ok, in_front_of, load_for, urls_of};

const PLAN: LoadPlan = LoadPlan {
    pairs: 40,
    every: Duration::from_millis(200),
};

/// Of the ways to Redis, those that hear, or those that ask.
fn ways(proxy: &FaultProxy, subscribes: bool) -> Vec<ConnectionInfo> {
    let ways: Vec<_> = proxy.connections();
    let ways: Vec<_> = ways
        .into_iter()
        .filter(|one| one.subscribes == subscribes)
        .collect();
    assert!(!ways.is_empty(), "there is one to break");
    ways
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_half_open_ways_to_redis_lose_nothing() {
    let _alone = alone().await;
    let cluster = Cluster::start_proxied(3, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;

    oracle.fault("n1: all ways to Redis cut");
    cluster.proxies[0].cut_all();
    load_for(3.0).await;
    oracle.fault("n2: the way that hears is half open");
    for way in ways(&cluster.proxies[1], true) {
        assert!(cluster.proxies[1].half_open(way.id, Side::Upstream));
    }
    load_for(8.0).await;
    oracle.fault("n3: the ways that ask are half open");
    for way in ways(&cluster.proxies[2], false) {
        assert!(cluster.proxies[2].half_open(way.id, Side::Upstream));
    }
    load_for(7.0).await;
    oracle.fault("Redis kills all pub/sub connections");
    cluster
        .redis
        .command::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    load_for(3.0).await;
    oracle.fault("Redis kills all other connections");
    cluster
        .redis
        .command::<u64>(&["CLIENT", "KILL", "TYPE", "normal"])
        .await
        .unwrap();
    load_for(3.0).await;
    check_ok(load, &oracle, &cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_slow_or_stands_still_for_a_while_loses_nothing() {
    let _alone = alone().await;
    let cluster = Cluster::start_proxied(3, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;

    oracle.fault("n1: Redis is 100 ms away, each way");
    cluster.proxies[0].delay(Duration::from_millis(100));
    load_for(3.0).await;
    oracle.fault("n1: near again");
    cluster.proxies[0].delay(Duration::ZERO);
    load_for(2.0).await;
    oracle.fault("n2: everything to and from Redis stands still");
    cluster.proxies[1].freeze_all();
    load_for(3.0).await;
    oracle.fault("n2: goes on");
    cluster.proxies[1].thaw_all();
    load_for(3.0).await;
    oracle.fault("Redis frozen");
    cluster.redis.freeze().unwrap();
    load_for(4.0).await;
    oracle.fault("Redis thawed");
    cluster.redis.thaw().unwrap();
    load_for(4.0).await;
    oracle.fault("Redis killed and started again at once, empty");
    cluster.redis.restart().await.unwrap();
    load_for(4.0).await;
    check_ok(load, &oracle, &cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_of_the_pubsub_connections_in_seven_seconds_cost_no_send_its_delivery() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(2, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    // 200 messages a second, all of them across nodes.
    let plan = LoadPlan {
        pairs: 20,
        every: Duration::from_millis(200),
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(0.5).await;
    for kill in 1..=10 {
        oracle.fault(&format!("Redis kills all pub/sub connections, time {kill}"));
        assert!(cluster.redis.kill_pubsub().await.unwrap() > 0, "they were back");
        load_for(0.7).await;
    }
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0);
}

/// The writes to Redis at one step of a send or a move: a publish or a stored message to a peer of the load, a batch
/// of acknowledgements, a claim or a detach.
const STEPS: [&[u8]; 3] = [b"/b1", b"sb:n:", b"}:s:"];

#[tokio::test(flavor = "multi_thread")]
async fn ways_to_redis_lost_at_the_moment_of_a_publish_an_acknowledgement_or_a_claim_lose_nothing() {
    let _alone = alone().await;
    let cluster = Cluster::start_proxied(3, QUICK_PINGS).await.unwrap();
    let clients = in_front_of(&cluster.nodes).await;
    let urls = urls_of(&clients);
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &urls).await.unwrap();
    load_for(0.5).await;
    oracle.fault("ways to Redis are lost at every step");
    for round in 0..18 {
        let which = round % cluster.nodes.len();
        for step in STEPS.iter().cycle().skip(round / cluster.nodes.len()).take(2) {
            cluster.proxies[which].drop_next_matching(step);
            load_for(0.3).await;
        }
        // A peer of this node claims its session elsewhere, while the way that detaches it is lost.
        cluster.proxies[which].drop_next_matching(STEPS[2]);
        clients[which].cut_all();
        load_for(0.3).await;
    }
    oracle.fault("no more of them");
    load_for(4.0).await;
    let report = check_ok(load, &oracle, &cluster).await;
    assert!(report.resumes > PLAN.pairs, "connections were lost");
}
