//! A Redis whose memory fills: clients' messages stop before leases and claims have no room.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use common::{PATIENCE, claim, keep, key, redis_node, session_id, stored, until};
use switchboard_core::{BusState, SessionSnapshot, StoreOutcome, StoredMessage};
use switchboard_harness::{RedisOptions, wait_until};
use switchboard_protocol::{MessageId, Mid};

/// The most that Redis may use.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

#[tokio::test]
async fn stored_messages_stop_at_the_watermark_while_claims_and_leases_go_on() {
    let arguments = ["--maxmemory", "64mb"].map(str::to_owned).to_vec();
    let options = RedisOptions {
        arguments,
        ..RedisOptions::default()
    };
    let redis = redis!(options);
    let (n1, n2) = (redis_node("n1", &redis.url()), redis_node("n2", &redis.url()));
    n1.is_up().await;
    n2.is_up().await;
    let full = || {
        let stored = n1.seen.stored.lock();
        let full = stored
            .iter()
            .filter(|(_, outcome)| *outcome == Ok(StoreOutcome::Full));
        full.count()
    };
    let mut sent = 0;
    // A hundred times as much as fits: 600 receivers, each with a full queue.
    for receiver in 0..600_u64 {
        let peer = format!("p{receiver}");
        let attached = n1.broker.attach(&key(&peer), claim(1)).await;
        assert!(attached.unwrap().confirmed, "claims go on at {receiver}");
        n1.broker
            .detach(&key(&peer), session_id(1), 0, keep(SessionSnapshot::default()));
        for sender in 0..4_u8 {
            sent += 1;
            let mid = Mid {
                session: session_id(100 + sender),
                id: MessageId::Client(receiver + 1),
            };
            let message = StoredMessage {
                from: key(&format!("sender{sender}")),
                is_first: false,
                envelope: vec![b'x'; 250_000],
                ..stored(&peer, mid)
            };
            // A full queue towards Redis is no subject here.
            while n1.broker.store(message.clone()).is_err() {
                tokio::task::yield_now().await;
            }
        }
        until("they are answered", PATIENCE, || {
            n1.seen.stored.lock().len() == sent
        })
        .await;
    }
    let memory: String = redis.command(&["INFO", "memory"]).await.unwrap();
    let used = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .unwrap();
    let used: u64 = used.trim().parse().unwrap();
    println!("{used} bytes used, {} of {sent} refused", full());
    assert!(used < MOST_BYTES * 9 / 10, "{used}");
    assert!(full() > sent / 2);
    assert!(n1.attach("bob", 1).await.confirmed);
    for node in [&n1, &n2] {
        assert_eq!(node.broker.status().state, BusState::Up);
    }
    for lease in ["sb:l:n1", "sb:l:n2"] {
        let is_fresh = async || {
            let left_ms: u64 = redis.command(&["PTTL", lease]).await.ok()?;
            (left_ms > 9_000).then_some(())
        };
        wait_until("the lease is renewed", PATIENCE, is_fresh)
            .await
            .unwrap();
    }
}
