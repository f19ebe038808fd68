//! A Redis that loses data while its connections stay.

use switchboard_testkit::{PATIENCE, RedisOptions, wait_until};

use crate::drill::{Admin, Drill};

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_emptied_and_forgets_its_scripts_costs_no_send_its_delivery() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    for command in [&["SCRIPT", "FLUSH"][..], &["FLUSHALL"], &["FLUSHALL", "SYNC"]] {
        drill.fault(&command.join(" "));
        drill.redis().command::<String>(command).await.unwrap();
        drill.calls_on_one_node_go_on().await;
        drill.lasts(3.5).await;
    }
    drill.until_ready().await;
    let peers = drill.records().await;
    assert_eq!(peers, 23, "every record is written again");
    let report = drill.end(&[]).await;
    assert_eq!(report.failures(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_records_and_leases_is_named_and_costs_no_send_its_delivery() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    let mut admin = Admin::open(drill.redis()).await;
    drill.fault("Redis evicts");
    admin.call("CONFIG SET maxmemory-policy allkeys-random").await;
    admin.call("CONFIG SET maxmemory 3mb").await;
    let value = "x".repeat(900);
    for number in 0..6_000 {
        admin.call(&format!("SET other-{number} {value}")).await;
        if number % 1_000 == 0 {
            drill.calls_on_one_node_go_on().await;
        }
    }
    let stats = admin.call("INFO stats").await;
    println!(
        "{}",
        stats
            .lines()
            .filter(|line| line.starts_with("evicted_keys"))
            .collect::<String>()
    );
    println!("{} records of 23 are left", drill.records().await);
    drill.fault("Redis has memory");
    admin.call("CONFIG SET maxmemory 0").await;
    drill.until_ready().await;
    let whole = async || (drill.records().await == 23).then_some(());
    let (_, took) = wait_until("every record is written again", PATIENCE, whole)
        .await
        .unwrap();
    println!("all records again after {took:?}");
    for node in &drill.cluster.nodes {
        // Nodes ask for the policy every second.
        let is_named = async || {
            let log = node.log();
            log.contains("set maxmemory-policy noeviction").then_some(())
        };
        wait_until("the policy is named", PATIENCE, is_named)
            .await
            .unwrap();
        assert_eq!(node.metric("switchboard_redis_may_evict").await, Some(1.0));
        let losses = node.metric("switchboard_redis_losses_total").await;
        assert!(losses.is_some_and(|losses| losses >= 1.0), "{losses:?}");
    }
    admin.call("CONFIG SET maxmemory-policy noeviction").await;
    let node = &drill.cluster.nodes[0];
    let is_over = async || {
        node.metric("switchboard_redis_may_evict")
            .await
            .filter(|may| *may == 0.0)
    };
    wait_until("the metric ends", PATIENCE, is_over).await.unwrap();
    let report = drill.end(&[]).await;
    assert_eq!(report.failures(), 0);
}
