//! A Redis that answers, but with an error.

use std::time::Duration;

use switchboard_testkit::{Cluster, PATIENCE, RedisOptions, RedisServer, wait_until};

use crate::drill::{Drill, ENDS};

async fn set(redis: &RedisServer, key: &str, value: &str) {
    let words = ["CONFIG", "SET", key, value];
    redis.command::<String>(&words).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_refuses_writes_a_node_is_not_ready_and_says_why_and_newcomers_are_sent_away() {
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    set(&cluster.redis, "min-replicas-to-write", "1").await;
    let refused = async || {
        let body = node.get("/readyz").await.ok()?.body;
        (body.contains("bus-refused") && body.contains("NOREPLICAS")).then_some(body)
    };
    let (body, took) = wait_until("the reason is given", PATIENCE, refused)
        .await
        .unwrap();
    println!("{body} after {took:?}");
    assert_eq!(node.status("/readyz").await, Some(503));
    let refused = cluster
        .connect(0, "newcomer")
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    println!("{refused}");
    set(&cluster.redis, "min-replicas-to-write", "0").await;
    let ready = async || (node.status("/readyz").await? == 200).then_some(());
    let (_, took) = wait_until("it is ready again", Duration::from_secs(3), ready)
        .await
        .unwrap();
    println!("ready again after {took:?}");
    cluster.connect(0, "newcomer").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_cannot_save_is_named_and_costs_sends_between_nodes_only() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    let folder: Vec<String> = drill.redis().command(&["CONFIG", "GET", "dir"]).await.unwrap();
    std::fs::remove_dir_all(&folder[1]).unwrap();
    drill.fault("Redis cannot save");
    set(drill.redis(), "save", "1 1").await;
    drill.until_reason("bus-refused", "MISCONF").await;
    for _ in 0..13 {
        drill.calls_on_one_node_go_on().await;
        drill.lasts(1.0).await;
    }
    drill.fault("Redis need not save");
    set(drill.redis(), "save", "").await;
    set(drill.redis(), "stop-writes-on-bgsave-error", "no").await;
    drill.until_ready().await;
    drill.lasts(2.0).await;
    drill.has_one_outage_in_the_log("is refused", "cannot save to disk");
    drill.end(&ENDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_memory_is_named_and_those_who_are_connected_notice_nothing() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    drill.fault("the memory of Redis is full");
    set(drill.redis(), "maxmemory", "1").await;
    drill.until_reason("bus-refused", "OOM").await;
    for _ in 0..4 {
        drill.calls_on_one_node_go_on().await;
        drill.lasts(1.0).await;
    }
    // No balancer sends one here, but claims and leases are taken although memory is full.
    drill.cluster.connect(0, "newcomer").await.unwrap();
    drill.fault("it has memory");
    set(drill.redis(), "maxmemory", "0").await;
    drill.until_ready().await;
    drill.lasts(1.0).await;
    drill.has_one_outage_in_the_log("is refused", "its memory is full");
    let report = drill.end(&[]).await;
    assert_eq!(report.failures(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_became_a_replica_is_named_and_asked_again_until_it_is_a_master() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    let master = RedisServer::start().await.unwrap();
    drill.fault("Redis is a replica");
    let words = ["REPLICAOF", "127.0.0.1", &master.port().to_string()];
    drill.redis().command::<String>(&words).await.unwrap();
    drill.until_reason("bus-", "is a replica").await;
    for _ in 0..4 {
        drill.calls_on_one_node_go_on().await;
        drill.lasts(1.0).await;
    }
    drill.fault("Redis is a master");
    drill
        .redis()
        .command::<String>(&["REPLICAOF", "NO", "ONE"])
        .await
        .unwrap();
    drill.until_ready().await;
    drill.lasts(2.0).await;
    drill.has_one_outage_in_the_log("the bus between nodes is", "is a replica");
    drill.end(&ENDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_loads_its_data_is_named_and_used_as_soon_as_it_has_them() {
    // It reads a thousand keys a second, and answers meanwhile.
    let arguments = [
        "--enable-debug-command",
        "yes",
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ];
    let options = RedisOptions {
        arguments: arguments.map(str::to_owned).to_vec(),
        ..RedisOptions::default()
    };
    let mut drill = Drill::start(options).await;
    let redis = drill.redis();
    redis
        .command::<String>(&["DEBUG", "POPULATE", "5000"])
        .await
        .unwrap();
    redis.command::<String>(&["SAVE"]).await.unwrap();
    drill.fault("Redis ends, and loads its data");
    redis.kill().await.unwrap();
    redis.spawn().unwrap();
    drill.until_reason("bus-down", "it loads its data").await;
    drill.calls_on_one_node_go_on().await;
    drill.redis().wait_ready().await.unwrap();
    drill.fault("Redis has its data");
    drill.until_ready().await;
    drill.lasts(2.0).await;
    drill.has_one_outage_in_the_log("is down", "");
    drill.end(&ENDS).await;
}
