//! A Redis with an evicting policy: it throws away records of peers, leases and rooms while it takes what other programs
//! write. Nodes write everything again, and nobody loses a session, a peer or a place in a room.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use common::{Node, PATIENCE, redis::redis_server, redis_node, until, until_presence};
use switchboard_core::{BusState, Presence};
use switchboard_harness::{RedisOptions, RedisServer, wait_until};

/// The policies that may evict keys without an expiry.
const POLICIES: [&str; 3] = ["allkeys-lru", "allkeys-lfu", "allkeys-random"];

/// Keys of nodes in Redis.
async fn own_keys(redis: &RedisServer) -> usize {
    let keys: Vec<String> = redis.command(&["KEYS", "sb:*"]).await.unwrap();
    keys.len()
}

/// Other programs fill Redis until at most `left` keys of nodes remain.
async fn fill_until(redis: &RedisServer, left: usize) {
    let script = "for i = 1, 500 do redis.call('SET', ARGV[1] .. i, string.rep('x', 2000)) end return 1";
    for round in 0..200 {
        let prefix = format!("other:{round}:");
        let script = ["EVAL", script, "0", &prefix];
        redis.command::<u64>(&script).await.unwrap();
        if own_keys(redis).await <= left {
            return;
        }
    }
    let left = own_keys(redis).await;
    assert_eq!(left, 0, "Redis evicts");
}

async fn everything_is_there(redis: &RedisServer, n1: &Node, n2: &Node) {
    for (peer, node) in [("bob", n1), ("eve", n2)] {
        let attached = Presence::Attached {
            node: node.id.clone(),
        };
        until_presence(n1, peer, &attached).await;
    }
    n1.until_members("lobby", &["bob", "eve"]).await;
    for lease in ["sb:l:n1", "sb:l:n2"] {
        let is_held = async || redis.command::<String>(&["GET", lease]).await.ok();
        wait_until("the lease is held", PATIENCE, is_held).await.unwrap();
    }
    assert_eq!(n1.publish("eve", b"to eve").await, Ok(1));
    until("eve receives", PATIENCE, || n2.received(b"to eve") > 0).await;
}

#[tokio::test]
async fn evicted_records_leases_and_rooms_are_written_again_and_nobody_loses_anything() {
    let options = RedisOptions {
        arguments: ["--maxmemory", "8mb"].map(str::to_owned).to_vec(),
        ..RedisOptions::default()
    };
    let Some(redis) = redis_server(options).await else {
        return;
    };
    let (n1, n2) = (redis_node("n1", &redis.url()), redis_node("n2", &redis.url()));
    n1.is_up().await;
    n2.is_up().await;
    n1.attach("bob", 1).await;
    n2.attach("eve", 2).await;
    n1.join("lobby", "bob", 1).await;
    n2.join("lobby", "eve", 2).await;
    for policy in POLICIES {
        let set = ["CONFIG", "SET", "maxmemory-policy", policy];
        redis.command::<String>(&set).await.unwrap();
        fill_until(&redis, 1).await;
        redis
            .command::<String>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
            .await
            .unwrap();
        let script =
            "for _, key in ipairs(redis.call('KEYS', 'other:*')) do redis.call('UNLINK', key) end return 1";
        redis.command::<u64>(&["EVAL", script, "0"]).await.unwrap();
        everything_is_there(&redis, &n1, &n2).await;
        n1.is_up().await;
        n2.is_up().await;
        println!("{policy}: all is there again");
    }
    assert!(n1.takeovers().is_empty() && n2.takeovers().is_empty());
    assert_eq!(n1.broker.status().state, BusState::Up);
}
