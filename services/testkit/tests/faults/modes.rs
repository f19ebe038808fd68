//! Redis that changes under load, in the modes that have more than one server: a master is killed or frozen, a replica takes
//! over, slots move, pub/sub connections end. What one server can do to a node is in `redis`.

use std::{sync::Arc, time::Duration};

use switchboard_testkit::{
    Cluster, DeploymentOptions, Load, LoadPlan, Oracle, RedisDeployment, RedisLayout, RedisOptions,
    RedisServer, RedisTls, wait_until,
};

use crate::{QUICK_PINGS, alone, check_ok, load_for};

/// 400 messages a second, all of them across nodes.
pub(super) const PLAN: LoadPlan = LoadPlan {
    pairs: 40,
    every: Duration::from_millis(200),
};

/// Within this after the loss of a pub/sub connection, every peer is subscribed again.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(2);

/// Within this after the promotion of a replica, sends are prompt again.
const HEALED_WITHIN: Duration = Duration::from_secs(5);

/// Longer than any failover here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Three nodes on Redis of this layout, under load.
async fn under_load(layout: &str) -> (Cluster, Arc<Oracle>, Load) {
    let cluster = Cluster::start_on(layout.parse().unwrap(), 3, QUICK_PINGS)
        .await
        .unwrap();
    let oracle = Oracle::start();
    let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;
    (cluster, oracle, load)
}

/// The channels of peers that Redis itself counts as subscribed, over all masters.
async fn subscribed(redis: &RedisDeployment) -> usize {
    let list = match redis.layout() {
        RedisLayout::Cluster { .. } => "SHARDCHANNELS",
        RedisLayout::Standalone | RedisLayout::Sentinel { .. } | RedisLayout::Sharded { .. } => "CHANNELS",
    };
    let mut count = 0;
    for master in redis.masters().await {
        count += subscribed_at(master, list).await;
    }
    count
}

/// The channels of peers in this list of one server; none if it does not answer.
pub(super) async fn subscribed_at(server: &RedisServer, list: &str) -> usize {
    let channels = server.command(&["PUBSUB", list, "sb:*"]).await;
    let channels: Vec<String> = channels.unwrap_or_default();
    channels.iter().filter(|channel| channel.contains("}:p:")).count()
}

/// Kills every pub/sub connection, three times; each time all peers are subscribed again in time.
async fn survives_kills_of_pubsub(layout: &str) {
    let (cluster, oracle, load) = under_load(layout).await;
    assert_eq!(subscribed(&cluster.redis).await, 2 * PLAN.pairs);
    for kill in 1..=3 {
        oracle.fault(&format!(
            "every master kills its pub/sub connections, time {kill}"
        ));
        assert!(
            cluster.redis.kill_pubsub().await.unwrap() >= 3,
            "one of each node"
        );
        let all = async || (subscribed(&cluster.redis).await == 2 * PLAN.pairs).then_some(());
        let (_, took) = wait_until("all are subscribed again", SUBSCRIBED_WITHIN, all)
            .await
            .unwrap();
        println!("{layout}: all subscribed again after {took:?}");
        load_for(1.5).await;
    }
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "nothing timed out");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_all_pubsub_connections_of_a_cluster_cost_no_send_its_delivery() {
    let _alone = alone().await;
    survives_kills_of_pubsub("cluster:3+3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_all_pubsub_connections_of_independent_servers_cost_no_send_its_delivery() {
    let _alone = alone().await;
    survives_kills_of_pubsub("sharded:3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_of_a_cluster_is_replaced_and_nothing_is_lost_silently() {
    let _alone = alone().await;
    let (cluster, oracle, load) = under_load("cluster:3+3").await;
    let replicas = cluster.redis.replicas_of(1).await;
    oracle.fault("redis-2 killed");
    cluster.redis.servers()[1].kill().await.unwrap();
    cluster.redis.until_replaced(&replicas).await.unwrap();
    oracle.fault("its replica is the master");
    load_for(7.0).await;
    oracle.fault("redis-2 is back");
    cluster.redis.servers()[1].restart().await.unwrap();
    load_for(3.0).await;
    check_ok(load, &oracle, &cluster).await;
    healed_in_time(&oracle, "its replica is the master");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_slots_that_move_under_load_cost_no_send_its_delivery() {
    let _alone = alone().await;
    let (cluster, oracle, load) = under_load("cluster:3+3").await;
    for time in 1..=2 {
        oracle.fault(&format!("100 slots move to another master, time {time}"));
        assert_eq!(cluster.redis.reshard(100).await.unwrap().len(), 100);
        load_for(2.0).await;
    }
    assert_eq!(subscribed(&cluster.redis).await, 2 * PLAN.pairs);
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "no send failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_added_filled_with_slots_and_removed_again_costs_no_send_its_delivery() {
    let _alone = alone().await;
    let (mut cluster, oracle, load) = under_load("cluster:3+3").await;
    oracle.fault("a fourth master joins");
    let redis = Arc::get_mut(&mut cluster.redis).expect("no other cluster uses it");
    redis.add_master().await.unwrap();
    load_for(1.0).await;
    let added = cluster.redis.servers().len() - 1;
    for from in 0..3 {
        oracle.fault(&format!("slots of redis-{} move to it", from + 1));
        let moved = cluster.redis.move_slots(60, from, added).await.unwrap();
        assert_eq!(moved.len(), 60);
        load_for(1.5).await;
    }
    assert_eq!(subscribed(&cluster.redis).await, 2 * PLAN.pairs);
    oracle.fault("its slots move away");
    for to in 0..3 {
        let moved = cluster.redis.move_slots(60, added, to).await.unwrap();
        assert_eq!(moved.len(), 60);
    }
    load_for(1.5).await;
    oracle.fault("it is removed");
    let redis = Arc::get_mut(&mut cluster.redis).expect("no other cluster uses it");
    redis.remove_last_master().await.unwrap();
    load_for(3.0).await;
    assert_eq!(subscribed(&cluster.redis).await, 2 * PLAN.pairs);
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "no send failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_of_a_cluster_that_an_operator_asks_for_loses_nothing() {
    let _alone = alone().await;
    let (cluster, oracle, load) = under_load("cluster:3+3").await;
    for _ in 0..2 {
        oracle.fault("a replica takes over as it is asked to");
        cluster.redis.failover().await.unwrap();
        load_for(4.0).await;
    }
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "no send failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_master_of_sentinels_is_replaced_and_gets_no_traffic_once_it_thaws() {
    let _alone = alone().await;
    let (cluster, oracle, load) = under_load("sentinel").await;
    let old = &cluster.redis.servers()[0];
    oracle.fault("the master freezes");
    old.freeze().unwrap();
    cluster.redis.until_replaced(&[1]).await.unwrap();
    oracle.fault("its replica is the master");
    load_for(7.0).await;
    oracle.fault("the old master thaws");
    old.thaw().unwrap();
    let follows = async || (cluster.redis.replicas_of(1).await == [0]).then_some(());
    wait_until("the old master follows the new one", PATIENCE, follows)
        .await
        .unwrap();
    // Scripts are replicated as what they do, so only nodes make these.
    let before = scripts(&cluster.redis).await;
    load_for(5.0).await;
    assert_eq!(
        scripts(&cluster.redis).await,
        before,
        "the old master gets no traffic"
    );
    check_ok(load, &oracle, &cluster).await;
    healed_in_time(&oracle, "its replica is the master");
}

/// How many scripts the first server has run.
async fn scripts(redis: &RedisDeployment) -> Option<String> {
    let stats: String = redis.command(&["INFO", "commandstats"]).await.unwrap();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
    line.and_then(|line| line.split(',').next()).map(str::to_owned)
}

/// Sends were prompt again soon after this fault.
pub(super) fn healed_in_time(oracle: &Oracle, fault: &str) {
    let recoveries = oracle.recoveries();
    let recovery = recoveries
        .iter()
        .find(|recovery| recovery.fault == fault)
        .unwrap();
    let clean_after = recovery.clean_after;
    assert!(
        clean_after.is_some_and(|after| after <= HEALED_WITHIN),
        "{recovery}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_independent_servers_that_dies_and_comes_back_empty_loses_nothing_silently() {
    let _alone = alone().await;
    let (cluster, oracle, load) = under_load("sharded:3").await;
    oracle.fault("redis-2 killed");
    cluster.redis.servers()[1].kill().await.unwrap();
    load_for(3.0).await;
    oracle.fault("redis-2 is back, empty");
    cluster.redis.servers()[1].restart().await.unwrap();
    load_for(6.0).await;
    check_ok(load, &oracle, &cluster).await;
    healed_in_time(&oracle, "redis-2 is back, empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_every_server_of_every_mode_fails_no_send() {
    let _alone = alone().await;
    for layout in RedisLayout::ALL {
        let (cluster, oracle, load) = under_load(&layout.to_string()).await;
        oracle.fault(&format!("{layout}: no server answers for a second"));
        cluster.redis.pause(Duration::from_secs(1)).await.unwrap();
        load_for(3.0).await;
        let report = check_ok(load, &oracle, &cluster).await;
        assert_eq!(report.failures(), 0, "{layout}: no send failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_is_reached_with_tls_a_client_certificate_and_a_password() {
    let _alone = alone().await;
    for layout in RedisLayout::ALL {
        let server = RedisOptions {
            tls: Some(RedisTls::mutual().unwrap()),
            password: Some("of-the-servers".to_owned()),
            ..RedisOptions::default()
        };
        let options = DeploymentOptions {
            server,
            ..DeploymentOptions::default()
        };
        let cluster = Cluster::start_with_redis(layout, options, 2, QUICK_PINGS)
            .await
            .unwrap();
        let oracle = Oracle::start();
        let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
        load_for(1.0).await;
        oracle.fault(&format!("{layout}: pub/sub connections killed"));
        assert!(cluster.redis.kill_pubsub().await.unwrap() >= 2);
        load_for(2.0).await;
        let report = check_ok(load, &oracle, &cluster).await;
        assert_eq!(report.failures(), 0, "{layout}");
    }
}
