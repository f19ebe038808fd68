//! The ways between nodes and Redis: cut, half open, slow, and killed by Redis itself, under load.

use std::time::Duration;

use switchboard_testkit::{Cluster, ConnectionInfo, FaultProxy, Load, LoadPlan, Oracle, Side};

use crate::{QUICK_PINGS, alone, kept, load_for};

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
    load_for(6.0).await;
    oracle.fault("n3: the ways that ask are half open");
    for way in ways(&cluster.proxies[2], false) {
        assert!(cluster.proxies[2].half_open(way.id, Side::Upstream));
    }
    load_for(7.0).await;
    oracle.fault("Redis kills all pub/sub connections");
    cluster.redis.command("CLIENT KILL TYPE pubsub").await.unwrap();
    load_for(3.0).await;
    oracle.fault("Redis kills all other connections");
    cluster.redis.command("CLIENT KILL TYPE normal").await.unwrap();
    load_for(3.0).await;
    kept(load, &oracle, &cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_slow_or_stands_still_for_a_while_loses_nothing() {
    let _alone = alone().await;
    let mut cluster = Cluster::start_proxied(3, QUICK_PINGS).await.unwrap();
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
    cluster.redis.signal("STOP").unwrap();
    load_for(4.0).await;
    oracle.fault("Redis thawed");
    cluster.redis.signal("CONT").unwrap();
    load_for(4.0).await;
    oracle.fault("Redis killed and started again at once, empty");
    cluster.redis.start_again().await.unwrap();
    load_for(4.0).await;
    kept(load, &oracle, &cluster).await;
}
