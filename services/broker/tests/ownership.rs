//! One owner for each peer, and one node for each node ID: after Redis lost its data, whole or in part, after its clock
//! went back, and with two nodes of one ID.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::{Duration, Instant};

use common::{
    Node, PATIENCE, answer, attach_many, key, next_mid,
    redis::node,
    redis_node,
    rooms::{peer, room},
    session_id, stored, token, until, until_presence,
};
use switchboard_core::{BrokerError, BusState, Presence, StoreOutcome};
use switchboard_harness::{RedisServer, wait_until};
use tokio::time::timeout;

/// How long others may take a node for alive.
const LEASE: Duration = Duration::from_secs(10);

/// The name of a peer's record.
async fn record(redis: &RedisServer, peer: &str) -> Option<String> {
    let pattern = format!("sb:{{*}}:s:acme/{peer}");
    let keys: Vec<String> = redis.command(&["KEYS", &pattern]).await.unwrap();
    keys.into_iter().next()
}

async fn field(redis: &RedisServer, peer: &str, field: &str) -> String {
    let record = record(redis, peer).await.unwrap();
    redis.command(&["HGET", &record, field]).await.unwrap()
}

async fn until_recorded(redis: &RedisServer, peer: &str) -> Duration {
    let found = async || record(redis, peer).await;
    wait_until("the record is back", LEASE, found).await.unwrap().1
}

/// Publishes one message for bob and returns how many nodes received it, once one has.
async fn receivers(from: &Node, nodes: &[&Node], envelope: &[u8]) -> usize {
    from.broker
        .publish(next_mid(), &key("bob"), envelope.to_vec())
        .unwrap();
    let count = || nodes.iter().filter(|node| node.received(envelope) > 0).count();
    until("bob receives", PATIENCE, || count() > 0).await;
    // The reply to a second command follows the messages of the first.
    from.publish("nobody", b"").await.unwrap();
    count()
}

#[tokio::test]
async fn after_redis_lost_everything_a_peer_that_connects_elsewhere_has_one_owner() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    n1.attach("bob", 1).await;
    n1.attach("eve", 3).await;
    let _: String = redis.command(&["FLUSHALL"]).await.unwrap();
    let taken = n2.attach("bob", 2).await;
    assert!(taken.confirmed && taken.previous.is_none(), "no record says more");
    let took = until("n1 yields", LEASE, || {
        n1.takeovers() == [(key("bob"), session_id(1))]
    })
    .await;
    println!("one owner {took:?} after the flush");
    assert!(until_recorded(&redis, "eve").await < LEASE);
    n1.is_up().await;
    assert_eq!(receivers(&n1, &[&n1, &n2], b"after the flush").await, 1);
    assert_eq!((n1.broker.status().desired, n2.takeovers().len()), (1, 0));
    until_presence(&n1, "bob", &Presence::Attached { node: n2.id.clone() }).await;
}

/// The node of a peer subscribes and claims again once it has noticed the loss. Meanwhile a node that had not noticed it
/// found no subscriber and no record, and answered senders that the peer was offline.
#[tokio::test]
async fn after_redis_lost_everything_no_node_takes_a_missing_record_for_a_proof() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    assert_eq!(n1.locate("nobody").await, Ok(Presence::Offline));
    let _: String = redis.command(&["FLUSHALL"]).await.unwrap();
    let unsettled = BrokerError::Unsettled;
    assert_eq!(n1.locate("nobody").await, Err(unsettled));
    assert_eq!(store(&n1, "nobody").await, Err(unsettled));
    assert_eq!(n1.broker.end_session(&key("nobody")).await, Err(unsettled));
    assert_eq!(n1.broker.rooms_of(&key("nobody")).await, Err(unsettled));
    assert_eq!(n1.broker.roster(&room("lobby")).await, Err(unsettled));
    assert_eq!(
        n1.broker.has_member(&room("lobby"), &peer("nobody")).await,
        Err(unsettled)
    );
    until_presence(&n1, "nobody", &Presence::Offline).await;
    assert_eq!(store(&n1, "nobody").await, Ok(StoreOutcome::Offline));
    assert_eq!(n1.broker.end_session(&key("nobody")).await, Ok(None));
}

/// Redis loses the peers of a node with its lease, and nothing of the sender's node.
#[tokio::test]
async fn a_node_that_redis_lost_writes_its_records_before_its_channels_pause() {
    const PEERS: usize = 300;
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    attach_many(&n2, PEERS).await;
    let mut without_channel = 0;
    for _ in 0..4 {
        // Just before the renewal: later the comparison of claims and records would find the loss first.
        let is_due = async || {
            let left: u64 = redis.command(&["PTTL", "sb:l:n2"]).await.ok()?;
            (left < 7_200).then_some(())
        };
        wait_until("the renewal is due", LEASE, is_due).await.unwrap();
        let before = subscribers(&redis).await;
        let mut lost: Vec<String> = redis.command(&["KEYS", "sb:{*}:s:*"]).await.unwrap();
        lost.extend(["UNLINK".to_owned(), "sb:l:n2".to_owned()]);
        lost.rotate_right(2);
        let words: Vec<&str> = lost.iter().map(String::as_str).collect();
        assert_eq!(redis.command::<u64>(&words).await.unwrap(), PEERS as u64 + 1);
        let until = Instant::now() + LEASE;
        loop {
            let is_anew = subscribers(&redis).await.iter().any(|id| !before.contains(id));
            if is_anew && n2.broker.status().confirmed >= PEERS {
                break;
            }
            let peer = format!("p{}", rand::random_range(0..PEERS));
            if n1.publish(&peer, b"x").await.unwrap() == 0 {
                without_channel += 1;
                assert_ne!(store(&n1, &peer).await, Ok(StoreOutcome::Offline), "{peer}");
            }
            assert!(Instant::now() < until, "n2 notices that its lease is lost");
        }
        n2.is_up().await;
    }
    assert!(
        without_channel > 0,
        "a message met a channel that paused, or nothing was shown"
    );
}

/// The connections that receive messages.
async fn subscribers(redis: &RedisServer) -> Vec<String> {
    let list: String = redis
        .command(&["CLIENT", "LIST", "TYPE", "pubsub"])
        .await
        .unwrap();
    let ids = list.lines().filter_map(|line| line.split(' ').next());
    ids.map(str::to_owned).collect()
}

async fn store(node: &Node, to: &str) -> Result<StoreOutcome, BrokerError> {
    let mid = next_mid();
    node.broker.store(stored(to, mid)).unwrap();
    answer(&node.seen.stored, mid).await
}

#[tokio::test]
async fn a_record_that_redis_evicted_is_written_again_with_its_fence() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    let fence = n1.attach("bob", 1).await.fence;
    n1.attach("eve", 2).await;
    let evicted = record(&redis, "bob").await.unwrap();
    let _: u64 = redis.command(&["DEL", &evicted]).await.unwrap();
    let took = until_recorded(&redis, "bob").await;
    println!("written again after {took:?}");
    assert_eq!(field(&redis, "bob", "v").await, fence.to_string());
    assert!(n1.takeovers().is_empty());
}

#[tokio::test]
async fn fences_grow_although_the_clock_of_redis_went_back() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let before = n1.attach("bob", 1).await.fence;
    // As if it had been claimed before the clock went back by an hour.
    let later = (before + 3_600_000_000).to_string();
    let bob = record(&redis, "bob").await.unwrap();
    let _: u64 = redis.command(&["HSET", &bob, "v", &later]).await.unwrap();
    let after = n2.attach("bob", 2).await.fence;
    assert_eq!(after, before + 3_600_000_001);
}

#[tokio::test]
async fn an_owner_with_a_lower_fence_learns_that_the_older_claim_stands() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    n1.attach("bob", 1).await;
    // Redis lost the record, its clock went back, and the other node claimed the peer.
    let bob = record(&redis, "bob").await.unwrap();
    let (inc, session) = (field(&redis, "bob", "inc").await, session_id(2).to_string());
    let _: u64 = redis.command(&["DEL", &bob]).await.unwrap();
    let claim = [
        "HSET", &bob, "v", "7", "session", &session, "node", "n2", "inc", &inc, "state", "attached",
    ];
    let _: u64 = redis.command(&claim).await.unwrap();
    until("n2 learns it", LEASE, || {
        n2.takeovers() == [(key("bob"), session_id(2))]
    })
    .await;
    assert_eq!(field(&redis, "bob", "node").await, "n1");
}

#[tokio::test]
async fn a_second_node_with_the_same_id_never_serves_and_stops_with_the_reason() {
    let redis = redis!();
    let first = node(&redis, "n1").await;
    first.attach("bob", 1).await;
    let second = redis_node("n1", &redis.url());
    let why = timeout(Duration::from_secs(20), second.broker.until_unusable())
        .await
        .unwrap();
    assert!(why.contains("`n1`") && why.contains("node.id"), "{why}");
    assert_eq!(second.broker.status().desired, 0);
    assert_eq!(first.broker.status().state, BusState::Up);
    assert_eq!(receivers(&first, &[&first, &second], b"to the first").await, 1);
    second.broker.shutdown().await;
    let lease: String = redis.command(&["GET", "sb:l:n1"]).await.unwrap();
    assert_eq!(
        lease,
        field(&redis, "bob", "inc").await,
        "the lease of the first stays"
    );
}

#[tokio::test]
async fn a_node_whose_lease_another_run_holds_stops_before_it_receives_anything_more() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    n1.attach("bob", 1).await;
    let set = ["SET", "sb:l:n1", "another run", "PX", "20000"];
    let _: String = redis.command(&set).await.unwrap();
    let why = timeout(LEASE, n1.broker.until_unusable()).await.unwrap();
    assert!(why.contains("`n1`"), "{why}");
    assert_ne!(n1.broker.status().state, BusState::Up);
    let gone = async || {
        let channels: Vec<String> = redis.command(&["PUBSUB", "CHANNELS", "sb:*"]).await.ok()?;
        channels.is_empty().then_some(())
    };
    wait_until("nothing is subscribed", PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn the_next_run_of_a_node_that_crashed_starts_at_once() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    // Dropped without a shutdown: its lease stays, as after a crash.
    drop(n1);
    let again = redis_node("n1", &redis.url());
    let took = until("it is up", Duration::from_secs(2), || {
        again.broker.status().state == BusState::Up
    })
    .await;
    println!("up after {took:?}");
}

#[tokio::test]
async fn the_secret_of_a_session_never_reaches_redis() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    n1.attach("bob", 1).await;
    let stored = field(&redis, "bob", "secret").await;
    assert_eq!(stored.len(), 64, "a SHA-256 in hexadecimal");
    let secret = token(1).secret();
    let bob = record(&redis, "bob").await.unwrap();
    let all: Vec<String> = redis.command(&["HGETALL", &bob]).await.unwrap();
    assert!(all.iter().all(|text| !text.contains(secret.expose())));
}
