//! Messages on a node's channels that no node publishes: each costs itself, not the connection.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use common::{PATIENCE, key, next_mid, redis_node, until};
use switchboard_broker::MAX_MESSAGE_BYTES;
use switchboard_core::BusState;

#[tokio::test]
async fn an_oversized_message_on_a_channel_is_skipped_and_the_next_one_is_received() {
    let redis = redis!();
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
