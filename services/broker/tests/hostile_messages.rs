//! Messages on a node's channels that no node publishes: each costs itself, not the connection.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{PATIENCE, key, next_mid, redis_node, redis_server, until};
use switchboard_broker::MAX_MESSAGE_BYTES;
use switchboard_core::BusState;
use switchboard_harness::RedisOptions;

#[tokio::test]
async fn an_oversized_message_on_a_channel_is_skipped_and_the_next_one_is_received() {
    let Some(redis) = redis_server(RedisOptions::default()).await else {
        return;
    };
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    n1.attach("bob", 1).await;
    let channels: Vec<String> = redis.command(&["PUBSUB", "CHANNELS", "*acme/bob"]).await.unwrap();
    let (pubsub, oversized) = (["CLIENT", "LIST", "TYPE", "pubsub"], "x".repeat(1_200_000));
    let before: String = redis.command(&pubsub).await.unwrap();
    for channel in [channels[0].as_str(), "sb:n:n1"] {
        let receivers: u64 = redis.command(&["PUBLISH", channel, &oversized]).await.unwrap();
        assert_eq!(receivers, 1);
    }
    let largest = vec![b'1'; MAX_MESSAGE_BYTES];
    n1.broker
        .publish(next_mid(), &key("bob"), largest.clone())
        .unwrap();
    until("the largest message comes", PATIENCE, || {
        n1.received(&largest) == 1
    })
    .await;
    let after: String = redis.command(&pubsub).await.unwrap();
    let id = |clients: &str| clients.split_whitespace().next().map(str::to_owned);
    assert_eq!(id(&before), id(&after), "the connection is the same");
    assert_eq!(n1.broker.status().state, BusState::Up);
    assert_eq!(n1.seen.messages.lock().len(), 1);
}

#[tokio::test]
async fn clusters_in_two_databases_or_with_two_prefixes_of_one_redis_do_not_meet() {
    let Some(redis) = redis_server(RedisOptions::default()).await else {
        return;
    };
    let of_prefix = switchboard_broker::RedisConfig {
        key_prefix: "other".to_owned(),
        ..switchboard_broker::RedisConfig::new(redis.url())
    };
    let clusters = [
        redis_node("n1", &format!("{}/0", redis.url())),
        redis_node("n1", &format!("{}/1", redis.url())),
        common::configured_node("n1", &of_prefix),
    ];
    for node in &clusters {
        node.is_up().await;
        assert!(node.attach("bob", 1).await.previous.is_none());
    }
    for (number, node) in clusters.iter().enumerate() {
        assert_eq!(node.publish("bob", &[number as u8]).await, Ok(1));
    }
    for (number, node) in clusters.iter().enumerate() {
        until("its own message comes", PATIENCE, || {
            node.received(&[number as u8]) == 1
        })
        .await;
        assert_eq!(node.seen.messages.lock().len(), 1);
        assert!(node.takeovers().is_empty());
    }
}
