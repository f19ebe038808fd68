//! Nodes on a real Redis Cluster of three masters and three replicas: failovers, slots that move, connections that are killed, with
//! messages on the way all the time. The core transmits lost messages again, and is not part of these tests; they bound how long the
//! bus is deaf, and that nothing stays so.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    cluster::{HEALED_WITHIN, PEERS, Scene, hears},
    configured_node, key,
    redis::{config, metrics_name_the_masters},
    session_id, until,
};
use switchboard_core::{BusState, Presence};

#[tokio::test]
async fn the_pub_sub_connections_of_every_master_are_killed_and_all_peers_hear_within_two_seconds() {
    let Some(scene) = Scene::start().await else { return };
    scene.all_hear().await;
    for _ in 0..3 {
        assert!(
            scene.redis.kill_pubsub().await.unwrap() >= 6,
            "a connection of each node at each master"
        );
        let since = Instant::now();
        until("all is confirmed again", HEALED_WITHIN, || {
            let status = scene.n2.broker.status();
            status.state == BusState::Up && status.confirmed == usize::from(PEERS)
        })
        .await;
        let took = since.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        scene.all_hear().await;
    }
    scene.all_own().await;
}

#[tokio::test]
async fn slots_move_to_another_master_and_back_while_peers_hear_come_and_go() {
    let Some(scene) = Scene::start().await else { return };
    scene.all_hear().await;
    for round in 0..2_u8 {
        let moved = async {
            // With the slots of partitions: those that are in use move first.
            scene.redis.reshard(100).await.unwrap()
        };
        let come_and_go = async {
            for number in 0..30_u8 {
                let (peer, session) = (format!("guest{round}-{number}"), 100 + number);
                let claimed = scene.n2.broker.attach(&key(&peer), common::claim(session)).await;
                assert!(claimed.is_ok(), "{claimed:?}");
                hears(&scene.n1, &scene.n2, &peer).await;
                scene.n2.broker.detach(&key(&peer), session_id(session), 0, None);
            }
        };
        let (slots, ()) = tokio::join!(moved, come_and_go);
        assert_eq!(slots.len(), 100);
        scene.all_hear().await;
        scene.all_own().await;
        for number in 0..30_u8 {
            common::until_presence(&scene.n1, &format!("guest{round}-{number}"), &Presence::Offline).await;
        }
    }
}

#[tokio::test]
async fn a_replica_takes_over_as_an_operator_asks_for_it() {
    let Some(scene) = Scene::start().await else { return };
    scene.all_hear().await;
    scene.redis.failover().await.unwrap();
    let took = scene.all_hear().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    scene.all_own().await;
    metrics_name_the_masters(&scene.redis, &scene.n2).await;
}

#[tokio::test]
async fn a_master_is_killed_or_frozen_and_its_replica_takes_over() {
    let Some(scene) = Scene::start().await else { return };
    scene.all_hear().await;
    let (killed, frozen) = (&scene.redis.servers()[0], &scene.redis.servers()[1]);
    let replicas = scene.redis.replicas_of(0).await;
    killed.kill().await.unwrap();
    scene.redis.until_replaced(&replicas).await.unwrap();
    let took = scene.all_hear().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let replicas = scene.redis.replicas_of(1).await;
    frozen.freeze().unwrap();
    scene.redis.until_replaced(&replicas).await.unwrap();
    let took = scene.all_hear().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
    frozen.thaw().unwrap();
    scene.all_hear().await;
    scene.all_own().await;
}

#[tokio::test]
async fn a_node_that_starts_while_slots_move_serves_at_once() {
    let Some(scene) = Scene::start().await else { return };
    let config = config(&scene.redis);
    let moved = async { scene.redis.reshard(100).await.unwrap() };
    let start = async {
        let n3 = Arc::new(configured_node("n3", &config));
        n3.is_up().await;
        n3.attach("late", 77).await;
        hears(&scene.n1, &n3, "late").await;
    };
    tokio::join!(moved, start);
    scene.all_hear().await;
    scene.all_own().await;
}
