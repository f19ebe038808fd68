//! A pub/sub connection that stays open, healthy to look at, and brings nothing any more: the commonest failure
//! of systems of this kind in production.

use std::time::Duration;

use switchboard_testkit::{Cluster, Load, LoadPlan, Oracle, wait_until};

use crate::{QUICK_PINGS, alone, check_ok, load_for};

/// Within this it is noticed and replaced.
const NOTICED_WITHIN: Duration = Duration::from_secs(4);

const REBUILDS: &str = "switchboard_bus_rebuilds_total{reason=\"deaf\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_deaf_pubsub_connection_is_noticed_and_replaced_within_four_seconds_and_nothing_is_lost() {
    let _alone = alone().await;
    let cluster = Cluster::start_proxied(2, QUICK_PINGS).await.unwrap();
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 40,
        every: Duration::from_millis(200),
    };
    let load = Load::start(plan, &oracle, &cluster.urls_from(0)).await.unwrap();
    load_for(1.0).await;

    let (node, proxy) = (&cluster.nodes[1], &cluster.proxies[1]);
    let before = node.metric(REBUILDS).await.unwrap_or(0.0);
    oracle.fault("n2's pub/sub connection hears nothing more");
    let deaf: Vec<_> = proxy
        .connections()
        .into_iter()
        .filter(|one| one.subscribes)
        .collect();
    assert!(!deaf.is_empty(), "there is one to freeze");
    for connection in &deaf {
        assert!(proxy.freeze_towards_client(connection.id));
    }
    let replaced = async || {
        let rebuilds = node.metric(REBUILDS).await?;
        let desired = node.metric("switchboard_subscriptions_desired").await?;
        let confirmed = node.metric("switchboard_subscriptions_confirmed").await?;
        let up = node.metric("switchboard_bus_up").await?;
        (rebuilds > before && desired == confirmed && up == 1.0).then_some(())
    };
    let (_, took) = wait_until("the deaf connection is replaced", NOTICED_WITHIN, replaced)
        .await
        .unwrap();
    println!("noticed and replaced after {took:?}");
    load_for(2.0).await;
    let report = check_ok(load, &oracle, &cluster).await;
    assert_eq!(report.failures(), 0, "it was over before any deadline");
}
