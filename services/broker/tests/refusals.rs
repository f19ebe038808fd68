//! A Redis that answers but takes no writes: the node says so, with the reason, and works again as soon as Redis does.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use common::{
    Node, PATIENCE, claim, key, next_mid, redis_node, redis_server,
    rooms::{peer, room},
    until, until_presence,
};
use switchboard_core::{
    BrokerError, BusState, Hold, Presence, Retention, RevocationChange, RoomEntry, RoomQuery,
    SessionSnapshot, StoreOutcome, StoredMessage,
};
use switchboard_harness::{FaultProxy, RedisOptions, RedisServer, wait_until};
use switchboard_protocol::{LeaveReason, Revocation};

/// Starts a Redis, or ends the test where there is none.
macro_rules! redis {
    () => {
        match redis_server(RedisOptions::default()).await {
            Some(redis) => redis,
            None => return,
        }
    };
}

async fn ok(redis: &RedisServer, words: &[&str]) {
    let _: String = redis.command(words).await.unwrap();
}

async fn until_refusing(node: &Node, code: &str) {
    let took = until(code, PATIENCE, || {
        let status = node.broker.status();
        status.state != BusState::Up && status.detail.contains(code)
    })
    .await;
    println!("{code} after {took:?}: {}", node.broker.status().detail);
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_named_and_clients_are_refused_until_it_does() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    ok(&redis, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let newcomer = n1.broker.attach(&key("bob"), claim(1)).await;
    assert_eq!(newcomer.map(|_| ()), Err(BrokerError::Refused));
    until_refusing(&n1, "NOREPLICAS").await;
    ok(&redis, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    up_again(&n1).await;
    assert!(n1.attach("bob", 1).await.confirmed);
}

#[tokio::test]
async fn a_full_redis_is_named_and_keeps_the_lease() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    ok(&redis, &["CONFIG", "SET", "maxmemory", "1"]).await;
    until_refusing(&n1, "OOM").await;
    for _ in 0..2 {
        // A renewal sets the time to live anew.
        let left_ms = async || redis.command::<u64>(&["PTTL", "sb:l:n1"]).await.ok();
        let is_fresh = async || left_ms().await.filter(|left| *left > 9_500);
        wait_until("the lease is renewed", PATIENCE, is_fresh)
            .await
            .unwrap();
        let is_older = async || left_ms().await.filter(|left| *left <= 9_500);
        wait_until("the lease gets older", PATIENCE, is_older)
            .await
            .unwrap();
        assert_eq!(n1.broker.status().state, BusState::Refusing);
    }
    ok(&redis, &["CONFIG", "SET", "maxmemory", "0"]).await;
    up_again(&n1).await;
}

async fn up_again(node: &Node) {
    let took = until("it is up again", Duration::from_secs(2), || {
        node.broker.status().state == BusState::Up
    })
    .await;
    println!("up again after {took:?}");
}

#[tokio::test]
async fn a_right_that_the_nodes_user_lacks_is_named() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    ok(&redis, &["ACL", "SETUSER", "default", "-hset"]).await;
    let newcomer = n1.broker.attach(&key("bob"), claim(1)).await;
    assert_eq!(newcomer.map(|_| ()), Err(BrokerError::Refused));
    until_refusing(&n1, "NOPERM").await;
    ok(&redis, &["ACL", "SETUSER", "default", "+hset"]).await;
    assert!(n1.attach("bob", 1).await.confirmed);
    n1.is_up().await;
}

#[tokio::test]
async fn the_documented_user_of_redis_has_every_right_that_nodes_need() {
    let redis = redis!();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let line = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER switchboard"))
        .unwrap();
    ok(&redis, &line.split_whitespace().collect::<Vec<_>>()).await;
    let url = format!("redis://switchboard:PASSWORD@127.0.0.1:{}", redis.port());
    let (n1, n2) = (redis_node("n1", &url), redis_node("n2", &url));
    n1.is_up().await;
    n2.is_up().await;
    common::detached(&n1, SessionSnapshot::default()).await;
    assert_eq!(n2.locate("bob").await, Ok(Presence::Detached));
    assert!(common::try_resume(&n2, common::token(1)).await.unwrap().confirmed);
    n2.broker.touch(&key("bob"), common::session_id(1));
    n1.broker.watch(&key("carol"));
    until("carol is watched", PATIENCE, || {
        !n1.seen.watching.lock().is_empty()
    })
    .await;
    let hold = Some(Hold {
        time: Duration::from_secs(30),
        tenant_bytes: 1_000,
    });
    let held = StoredMessage {
        mid: next_mid(),
        id: 1,
        from: key("bob"),
        to: key("carol"),
        prev: None,
        is_urgent: false,
        window: common::WINDOW,
        hold,
        is_first: true,
        envelope: b"hello".to_vec(),
    };
    n1.broker.store(held).unwrap();
    until("the message is held", PATIENCE, || {
        matches!(n1.seen.stored.lock()[..], [(_, Ok(StoreOutcome::Queued { .. }))])
    })
    .await;
    let carol = n2.attach("carol", 2).await;
    assert_eq!(carol.offline_queue, ["hello"]);
    let window = Duration::from_millis(100);
    let snapshot = None;
    n2.broker.detach(
        &key("carol"),
        common::session_id(2),
        0,
        Some(Retention { snapshot, window }),
    );
    let ended = || n1.seen.ended.lock().len() + n2.seen.ended.lock().len();
    until("carol's session ended", PATIENCE, || ended() == 1).await;
    n2.broker.remove_stored(&key("bob"), common::session_id(1), 1, 1);
    assert_eq!(n1.publish("bob", b"hello").await, Ok(1));
    n2.join("lobby", "bob", 1).await;
    n2.join("hall", "bob", 1).await;
    n1.publish_to_room("lobby", b"hello").await.unwrap();
    n1.leave_as("lobby", "bob", RoomEntry::Any, LeaveReason::Kicked);
    n1.until_members("lobby", &[]).await;
    let all = RoomQuery {
        tenant: "acme".to_owned(),
        prefix: String::new(),
        after: None,
        limit: 10,
    };
    assert_eq!(n1.broker.rooms(all).await.unwrap().rooms.len(), 1);
    n2.broker
        .detach_member(&room("hall"), &peer("bob"), common::session_id(1));
    until("both nodes have read the revocations", PATIENCE, || {
        [&n1, &n2]
            .iter()
            .all(|node| *node.seen.revocations_read.lock() > 0)
    })
    .await;
    let revocation = Revocation::parse("t acme/7", u64::from(u32::MAX)).unwrap();
    let replaces = None;
    n1.broker
        .revoke(&RevocationChange { revocation, replaces })
        .await
        .unwrap();
    n2.broker.shutdown().await;
    until_presence(&n1, "bob", &Presence::Detached).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let log = redis::cmd("ACL").arg("LOG").to_owned();
    let denied: Vec<redis::Value> = log.query_async(&mut connection).await.unwrap();
    assert!(denied.is_empty(), "{denied:?}");
}

/// No run takes every path, so the names in the code are compared, too.
#[test]
fn the_documented_user_of_redis_may_use_every_command_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/operating.md")).unwrap();
    let allowed: BTreeSet<_> = page
        .split('+')
        .skip(1)
        .filter_map(|right| right.split(|c: char| !c.is_ascii_lowercase()).next())
        .collect();
    let mut used = BTreeSet::new();
    names_in(&root.join("src"), &mut used);
    assert!(used.len() > 40, "{used:?}");
    let missing: Vec<_> = used
        .iter()
        .filter(|name| !allowed.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/operating.md lacks {missing:?}");
}

/// The commands that scripts call, and those of the crate itself.
fn names_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_in(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for before in ["redis.call('", "redis.pcall('", "cmd(\""] {
            let names = text.split(before).skip(1);
            let names = names.filter_map(|rest| rest.split(['\'', '"']).next());
            let is_name = |name: &&str| name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
            found.extend(names.filter(is_name).map(str::to_lowercase));
        }
    }
}

#[tokio::test]
async fn after_a_failover_behind_one_name_the_nodes_dial_the_new_master_within_five_seconds() {
    let (a, b) = (redis!(), redis!());
    let name = FaultProxy::start(a.address()).await.unwrap();
    let url = format!("redis://{}", name.address());
    let (n1, n2) = (redis_node("n1", &url), redis_node("n2", &url));
    n1.is_up().await;
    n2.is_up().await;
    n2.attach("bob", 1).await;
    name.lead_to(b.address());
    ok(&a, &["REPLICAOF", "127.0.0.1", &b.port().to_string()]).await;
    let promoted = Instant::now();
    let channels = async || -> usize {
        let channels: Vec<String> = b.command(&["PUBSUB", "CHANNELS", "sb:*"]).await.unwrap();
        channels.len()
    };
    while channels().await < 3 {
        assert!(
            promoted.elapsed() < Duration::from_secs(5),
            "{:?}",
            n2.broker.status()
        );
    }
    until("bob receives", Duration::from_secs(5), || {
        let _ = n1.broker.publish(next_mid(), &key("bob"), b"over b".to_vec());
        n2.received(b"over b") > 0
    })
    .await;
    n1.is_up().await;
    n2.is_up().await;
    let took = promoted.elapsed();
    println!("healed {took:?} after the failover");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(n1.attach("eve", 2).await.confirmed);
}

#[tokio::test]
async fn a_lease_without_a_connection_of_its_own_is_renewed_by_the_publisher() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let n1 = redis_node("n1", &format!("redis://{}", proxy.address()));
    n1.is_up().await;
    n1.attach("bob", 1).await;
    // The publisher connects first. From here on nobody connects, as at `maxclients`.
    let publisher = proxy.connections().iter().map(|one| one.id).min().unwrap();
    proxy.refuse(true);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(12) {
        for one in proxy.connections() {
            if !one.subscribes && one.id != publisher {
                proxy.cut(one.id);
            }
        }
        let left: i64 = redis
            .command::<String>(&["GET", "sb:l:n1"])
            .await
            .map_or(0, |_| 1);
        assert_eq!(left, 1, "the lease lasts");
        assert_eq!(n1.broker.status().state, BusState::Up);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(n1.takeovers().is_empty());
}
