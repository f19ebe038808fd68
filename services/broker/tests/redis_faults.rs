//! What a node on Redis does when Redis, or the way to it, fails – with a real redis-server. What holds for
//! every backend is in `contract`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    Node, PATIENCE, attach_many, detached, key, next_mid, redis::node, redis_node, session_id, token,
    try_resume, until, until_presence,
};
use switchboard_core::{BrokerError, BusState, Presence, SessionSnapshot};
use switchboard_harness::{FaultProxy, Port, RedisOptions, RedisServer};

/// Where a node finds the Redis behind a proxy.
fn url_of(proxy: &FaultProxy) -> String {
    format!("redis://{}", proxy.address())
}

/// Publishes again and again until one message is received; how long that took.
async fn receives_again(from: &Node, on: &Node, to: &str, limit: Duration) -> Duration {
    let start = Instant::now();
    let before = on.received(to.as_bytes());
    until(&format!("{to} receives again"), limit, || {
        let _ = from.broker.publish(next_mid(), &key(to), to.as_bytes().to_vec());
        on.received(to.as_bytes()) > before
    })
    .await;
    start.elapsed()
}

/// Channels that Redis itself counts as subscribed, node channels included.
async fn channels(redis: &RedisServer) -> usize {
    redis
        .command::<Vec<String>>(&["PUBSUB", "CHANNELS", "sb:*"])
        .await
        .unwrap()
        .len()
}

async fn until_subscribed(redis: &RedisServer, node: &Node, peers: usize, limit: Duration) -> Duration {
    let start = Instant::now();
    while channels(redis).await < peers || node.broker.status().confirmed < peers {
        assert!(start.elapsed() < limit, "{:?}", node.broker.status());
    }
    start.elapsed()
}

#[tokio::test]
async fn after_a_crash_that_loses_all_data_the_nodes_repair_everything_within_two_seconds() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let fence = n2.attach("bob", 1).await.fence;
    redis.kill().await.unwrap();
    until("n2 notices", PATIENCE, || {
        n2.broker.status().state == BusState::Down
    })
    .await;
    assert!(!n2.broker.status().detail.is_empty());
    until("n1 notices", PATIENCE, || {
        n1.broker.status().state == BusState::Down
    })
    .await;
    assert_eq!(n1.publish("bob", b"lost").await, Err(BrokerError::Unavailable));
    let started = Instant::now();
    let eve = n2.attach("eve", 2).await;
    assert_eq!((eve.confirmed, eve.fence), (false, 0), "accepted all the same");
    assert!(started.elapsed() < Duration::from_secs(1), "and at once");
    n2.attach("gone", 3).await;
    n2.broker.detach(&key("gone"), session_id(3), 0, None);
    // The outage itself: long enough for the waits between attempts to have grown to their longest.
    tokio::time::sleep(Duration::from_secs(3)).await;

    redis.start().await.unwrap();
    let took = receives_again(&n1, &n2, "bob", Duration::from_secs(2)).await;
    println!("received again {took:?} after Redis was back");
    receives_again(&n1, &n2, "eve", Duration::from_secs(2)).await;
    let unknown = n1.locate("nobody").await;
    assert_eq!(unknown, Err(BrokerError::Unsettled), "absence proves nothing yet");
    until_presence(&n1, "nobody", &Presence::Offline).await;
    for peer in ["bob", "eve"] {
        assert_eq!(
            n1.locate(peer).await,
            Ok(Presence::Attached { node: n2.id.clone() })
        );
    }
    let keys: Vec<String> = redis.command(&["KEYS", "sb:{*}:s:acme/bob"]).await.unwrap();
    let stands: u64 = redis.command(&["HGET", &keys[0], "v"]).await.unwrap();
    assert_eq!(stands, fence, "re-asserted, not claimed anew");
    assert!(n2.takeovers().is_empty());
}

#[tokio::test]
async fn a_killed_pubsub_connection_under_load_is_rebuilt_within_two_seconds() {
    const PEERS: usize = 1_000;
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    attach_many(&n2, PEERS).await;
    let (broker, is_over) = (
        Arc::clone(&n1.broker),
        Arc::new(std::sync::atomic::AtomicBool::new(false)),
    );
    let over = Arc::clone(&is_over);
    let load = tokio::spawn(async move {
        let mut number = 0;
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            number += 1;
            let to = key(&format!("p{}", number % PEERS));
            let _ = broker.publish(next_mid(), &to, vec![0; 1_200]);
            tokio::task::yield_now().await;
        }
    });
    let killed: u64 = redis
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    assert_eq!(killed, 2);
    let took = until_subscribed(&redis, &n2, PEERS + 2 - 2, Duration::from_secs(2)).await;
    println!("{PEERS} channels confirmed again after {took:?}");
    is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    load.await.unwrap();
    n2.is_up().await;
    receives_again(&n1, &n2, "p7", Duration::from_secs(2)).await;
    assert!(n2.takeovers().is_empty());
}

#[tokio::test]
async fn twenty_thousand_subscriptions_are_made_again() {
    const PEERS: usize = 20_000;
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    attach_many(&n1, PEERS).await;
    let _: u64 = redis
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    let took = until_subscribed(&redis, &n1, PEERS, PATIENCE).await;
    println!("{PEERS} channels confirmed again after {took:?}");
    let status = n1.broker.status();
    assert_eq!((status.desired, status.confirmed), (PEERS, PEERS));
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_and_survived() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    n2.attach("bob", 1).await;
    redis.freeze().unwrap();
    let took = until("both notice", Duration::from_secs(5), || {
        n1.broker.status().state != BusState::Up && n2.broker.status().state != BusState::Up
    })
    .await;
    println!("noticed after {took:?}");
    assert_eq!(n1.publish("bob", b"frozen").await, Err(BrokerError::Unavailable));
    redis.thaw().unwrap();
    receives_again(&n1, &n2, "bob", Duration::from_secs(2)).await;
    n1.is_up().await;
    n2.is_up().await;
}

#[tokio::test]
async fn a_claim_stuck_in_a_frozen_redis_does_not_come_back() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    n2.attach("bob", 1).await;
    redis.freeze().unwrap();
    // Subscribed already, so the claim goes out at once and gets no answer.
    let attached = n2.attach("bob", 2).await;
    assert!(!attached.confirmed, "left to the background at the deadline");
    n2.broker.detach(&key("bob"), session_id(2), 0, None);
    until("n2 has given that connection up", PATIENCE, || {
        n2.broker.status().state == BusState::Down
    })
    .await;
    redis.thaw().unwrap();
    n1.is_up().await;
    n2.is_up().await;
    until_presence(&n1, "bob", &Presence::Offline).await;
    let clients: String = redis
        .command(&["CLIENT", "LIST", "TYPE", "normal"])
        .await
        .unwrap();
    let links = clients
        .lines()
        .filter(|client| client.contains("cmd=publish"))
        .count();
    assert!(links <= 2, "no old connection is left: {clients}");
}

#[tokio::test]
async fn a_node_whose_lease_ran_out_checks_its_claims_and_goes_on() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let fence = n2.attach("bob", 1).await.fence;
    redis.freeze().unwrap();
    // Longer than a lease, by Redis's clock and by the nodes'.
    tokio::time::sleep(Duration::from_secs(11)).await;
    redis.thaw().unwrap();
    receives_again(&n1, &n2, "bob", PATIENCE).await;
    until_presence(&n1, "bob", &Presence::Attached { node: n2.id.clone() }).await;
    assert!(n2.attach("bob", 2).await.fence > fence);
}

#[tokio::test]
async fn a_deaf_pubsub_connection_is_noticed_within_four_seconds_and_replaced() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let (n1, n2) = (node(&redis, "n1").await, redis_node("n2", &url_of(&proxy)));
    n2.is_up().await;
    n2.attach("bob", 1).await;
    for connection in proxy.connections() {
        if connection.subscribes {
            proxy.freeze_towards_client(connection.id);
        }
    }
    let mut was_deaf = false;
    let took = until("n2 notices", Duration::from_secs(4), || {
        let state = n2.broker.status().state;
        was_deaf |= state == BusState::Deaf;
        state != BusState::Up
    })
    .await;
    println!("deafness noticed after {took:?}");
    assert!(was_deaf, "the state names the cause");
    receives_again(&n1, &n2, "bob", Duration::from_secs(2)).await;
    n2.is_up().await;
}

/// The session was lost with the connection: the client got a new one, and what the old one had sent came after it.
#[tokio::test]
async fn a_resume_whose_way_to_redis_is_lost_meanwhile_is_granted_on_the_next_one() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    for (name, is_deaf) in [("n2", true), ("n3", false)] {
        let proxy = FaultProxy::start(redis.address()).await.unwrap();
        let node = redis_node(name, &url_of(&proxy));
        node.is_up().await;
        detached(&n1, SessionSnapshot::default()).await;
        for connection in proxy.connections() {
            if connection.subscribes == is_deaf {
                proxy.freeze_towards_client(connection.id);
            }
        }
        let start = Instant::now();
        let resumed = try_resume(&node, token(1)).await.unwrap();
        println!("{name}: resumed after {:?}", start.elapsed());
        assert!(resumed.confirmed && resumed.snapshot.is_some());
        node.broker.detach(&key("bob"), session_id(1), 0, None);
        until_presence(&n1, "bob", &Presence::Offline).await;
    }
}

#[tokio::test]
async fn a_node_that_was_cut_off_yields_to_a_higher_fence() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let (n1, n2) = (node(&redis, "n1").await, redis_node("n2", &url_of(&proxy)));
    n2.is_up().await;
    n2.attach("bob", 1).await;
    n2.attach("eve", 2).await;
    proxy.refuse(true);
    proxy.cut_all();
    until("n2 notices", PATIENCE, || {
        n2.broker.status().state == BusState::Down
    })
    .await;
    let taken = n1.attach("bob", 3).await;
    assert_eq!(
        taken.previous.map(|previous| previous.session),
        Some(session_id(1))
    );
    n2.broker.detach(&key("eve"), session_id(2), 0, None);
    proxy.refuse(false);
    until("n2 learns it", PATIENCE, || {
        n2.takeovers() == [(key("bob"), session_id(1))]
    })
    .await;
    assert_eq!(n2.broker.status().desired, 0);
    assert_eq!(
        n1.locate("bob").await,
        Ok(Presence::Attached { node: n1.id.clone() })
    );
    until_presence(&n1, "eve", &Presence::Offline).await;
}

#[tokio::test]
async fn every_accepted_publish_is_reported_exactly_once_through_a_crash() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    let mut accepted = Vec::new();
    for number in 0..5_000 {
        if number == 2_500 {
            redis.kill().await.unwrap();
        }
        let mid = next_mid();
        if n1.broker.publish(mid, &key("bob"), vec![1; 100]).is_ok() {
            accepted.push(mid);
        }
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    until("all are reported", PATIENCE, || {
        n1.seen.published.lock().len() >= accepted.len()
    })
    .await;
    n1.broker.shutdown().await;
    let reported: Vec<_> = n1.seen.published.lock().iter().map(|(mid, _)| *mid).collect();
    assert_eq!(reported, accepted);
}

#[tokio::test]
async fn a_node_starts_without_redis_and_is_up_once_it_comes() {
    let port = Port::reserve().unwrap();
    let n1 = redis_node("n1", &format!("redis://127.0.0.1:{}", port.number()));
    assert_ne!(n1.broker.status().state, BusState::Up);
    assert!(!n1.attach("bob", 1).await.confirmed);
    let redis = redis!();
    let _proxy = FaultProxy::start_on(&port, redis.address()).await.unwrap();
    n1.is_up().await;
    let n2 = node(&redis, "n2").await;
    receives_again(&n2, &n1, "bob", Duration::from_secs(2)).await;
    until_presence(&n2, "bob", &Presence::Attached { node: n1.id.clone() }).await;
}

#[tokio::test]
async fn records_of_a_nodes_earlier_run_are_void() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    let n2 = node(&redis, "n2").await;
    n2.attach("bob", 1).await;
    // Dropped without a shutdown: its record and its lease stay, as after a crash.
    drop(n2);
    assert_eq!(
        n1.locate("bob").await,
        Ok(Presence::Attached {
            node: switchboard_protocol::NodeId::new("n2").unwrap()
        })
    );
    let _again = node(&redis, "n2").await;
    assert_eq!(n1.locate("bob").await, Ok(Presence::Orphaned));
}

#[tokio::test]
async fn a_redis_that_forgot_the_scripts_gets_them_again() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    let _: String = redis.command(&["SCRIPT", "FLUSH"]).await.unwrap();
    assert!(n1.attach("bob", 1).await.confirmed);
    let _: String = redis.command(&["SCRIPT", "FLUSH"]).await.unwrap();
    n1.broker.detach(&key("bob"), session_id(1), 0, None);
    until_presence(&n1, "bob", &Presence::Offline).await;
}

#[tokio::test]
async fn a_password_is_sent_and_a_wrong_one_is_named_but_not_shown() {
    let options = RedisOptions {
        password: Some("sesame".to_owned()),
        ..RedisOptions::default()
    };
    let redis = redis!(options);
    let n1 = node(&redis, "n1").await;
    assert!(n1.attach("bob", 1).await.confirmed);
    let n2 = redis_node("n2", &format!("redis://:swordfish@127.0.0.1:{}", redis.port()));
    until("n2 is refused", PATIENCE, || {
        n2.broker.status().state == BusState::Down
    })
    .await;
    let detail = n2.broker.status().detail;
    assert!(!detail.is_empty() && !detail.contains("swordfish"), "{detail}");
    println!("{detail}");
}
