//! Rooms on Redis when nodes die, and when Redis or the way to it fails. What holds for every backend is in `rooms`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use common::{
    Node, PATIENCE, claim, key,
    redis::node,
    redis_node,
    rooms::{join, member, names, own, peer, room},
    session_id, until,
};
use switchboard_core::{BrokerError, BusState, Claim, JoinError, RoomEntry};
use switchboard_harness::{FaultProxy, RedisServer, wait_until};
use switchboard_protocol::LeaveReason;

/// How long after a kill a member may stay in its rooms.
const LOST_WITHIN: Duration = Duration::from_secs(15);

/// All keys that belong to rooms.
async fn room_keys(redis: &RedisServer) -> Vec<String> {
    let keys: Vec<String> = redis.command(&["KEYS", "sb:*"]).await.unwrap();
    let is_of_rooms =
        |key: &String| ["}:r:", "}:x:", "}:i:"].iter().any(|kind| key.contains(kind)) || key == "sb:ended";
    keys.into_iter().filter(is_of_rooms).collect()
}

async fn until_no_room_keys(redis: &RedisServer) {
    let none = async || room_keys(redis).await.is_empty().then_some(());
    let is_empty = wait_until("nothing remains of rooms", PATIENCE * 2, none).await;
    assert!(is_empty.is_ok(), "{:?} remain", room_keys(redis).await);
}

/// Three rooms with members of every node.
struct Rooms {
    members: BTreeMap<String, Vec<String>>,
}

impl Rooms {
    async fn fill(nodes: &[&Node]) -> Self {
        let mut members = BTreeMap::<String, Vec<String>>::new();
        for name in ["lobby", "hall", "stage"] {
            for (number, node) in nodes.iter().enumerate() {
                for count in 0..20 {
                    let peer = format!("p{number}-{count}");
                    node.join(name, &peer, 1).await;
                    members.entry(name.to_owned()).or_default().push(peer);
                }
            }
        }
        members.values_mut().for_each(|members| members.sort());
        Self { members }
    }

    /// Reads the rosters on every node until all are the truth. A roster that is read meanwhile is complete, or an error.
    async fn until_true(&self, nodes: &[&Node], limit: Duration) -> Duration {
        let start = Instant::now();
        loop {
            let mut wrong = None;
            for node in nodes {
                for (name, wanted) in &self.members {
                    match node.broker.roster(&room(name)).await {
                        Ok(roster) => assert_eq!(names(&roster), *wanted, "{name} on {}", node.id),
                        Err(error) => wrong = Some(error),
                    }
                }
            }
            if wrong.is_none() {
                return start.elapsed();
            }
            assert!(start.elapsed() < limit, "{wrong:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn members_of_a_killed_node_leave_within_fifteen_seconds_and_nothing_remains() {
    let redis = redis!();
    let (n1, n2, n3) = (
        node(&redis, "n1").await,
        node(&redis, "n2").await,
        node(&redis, "n3").await,
    );
    n1.join("lobby", "bob", 1).await;
    for number in 0..100 {
        n2.join("lobby", &format!("p{number}"), 2).await;
    }
    n2.join("hall", "p0", 2).await;
    n2.join("lobby", "eve", 3).await;
    n2.join("lobby", "ann", 4).await;
    n2.broker
        .detach_member(&room("lobby"), &peer("ann"), session_id(4));
    n3.join("lobby", "eve", 3).await;
    // Dropped without a shutdown, as after a kill.
    drop(n2);
    let start = Instant::now();
    n1.until_members("lobby", &["bob", "eve"]).await;
    n1.until_members("hall", &[]).await;
    println!("gone after {:?}", start.elapsed());
    assert!(start.elapsed() < LOST_WITHIN);
    // Each removal is reported once, by one node, and every node of the room learns it.
    until("all removals are reported", PATIENCE, || {
        let removed = |node: &Node| node.removed("lobby").len() + node.removed("hall").len();
        removed(&n1) + removed(&n3) == 102
    })
    .await;
    let halls = [n1.removed("hall"), n3.removed("hall")].concat();
    assert_eq!(
        (halls.len(), halls[0].is_last, halls[0].reason),
        (1, true, LeaveReason::Lost)
    );
    for node in [&n1, &n3] {
        until("each node learns it", PATIENCE, || {
            let changes = node.changes("lobby");
            changes.iter().filter(|change| change.ends_with(" lost")).count() == 101
        })
        .await;
    }
    n1.leave("lobby", "bob", 1);
    n3.leave("lobby", "eve", 3);
    n1.broker.forget_room(&room("lobby"));
    n3.broker.forget_room(&room("lobby"));
    until_no_room_keys(&redis).await;
}

#[tokio::test]
async fn after_a_flush_of_all_data_every_roster_that_can_be_read_is_the_truth() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let rooms = Rooms::fill(&[&n1, &n2]).await;
    let before = n1.broker.roster(&room("lobby")).await.unwrap().version;
    for _ in 0..2 {
        let _: String = redis.command(&["FLUSHALL"]).await.unwrap();
        let took = rooms.until_true(&[&n1, &n2], PATIENCE * 2).await;
        println!("true again after {took:?}");
    }
    assert!(n1.broker.roster(&room("lobby")).await.unwrap().version > before);
    assert!(n1.removed("lobby").is_empty() && n2.removed("lobby").is_empty());
    for (name, members) in &rooms.members {
        for member in members {
            for node in [&n1, &n2] {
                node.leave(name, member, 1);
            }
        }
        n1.broker.forget_room(&room(name));
        n2.broker.forget_room(&room(name));
    }
    until_no_room_keys(&redis).await;
}

#[tokio::test]
async fn a_node_that_only_listens_repairs_its_members_after_a_flush_as_well() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    n1.join("lobby", "bob", 1).await;
    n2.join("lobby", "eve", 2).await;
    let _: String = redis.command(&["FLUSHALL"]).await.unwrap();
    // The change names no version before it, so n1 and n2 know at once that Redis has lost the room.
    let start = Instant::now();
    let ann = n1.join("lobby", "ann", 3).await;
    assert!(ann.is_first);
    let complete = async || {
        let key: Vec<String> = redis.command(&["KEYS", "sb:{*}:r:acme/lobby"]).await.ok()?;
        let fields: u64 = redis.command(&["HLEN", key.first()?]).await.ok()?;
        (fields == 3 + 2).then_some(())
    };
    wait_until("all three are members", PATIENCE, complete)
        .await
        .unwrap();
    println!("written again after {:?}", start.elapsed());
}

#[tokio::test]
async fn a_redis_that_restarts_empty_gets_the_members_again_and_what_was_asked_meanwhile() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let mut rooms = Rooms::fill(&[&n1, &n2]).await;
    redis.kill().await.unwrap();
    until("both notice", PATIENCE, || {
        [&n1, &n2]
            .iter()
            .all(|node| node.broker.status().state == BusState::Down)
    })
    .await;
    let refused = n1.join_with(join("lobby", member("late", 3))).await;
    assert_eq!(refused, Err(JoinError::Bus(BrokerError::Unavailable)));
    let published = n1.publish_to_room("lobby", &[1]).await;
    assert_eq!(published, Err(BrokerError::Unavailable));
    assert_eq!(
        n1.broker.roster(&room("lobby")).await,
        Err(BrokerError::Unavailable)
    );
    n1.leave("lobby", "p0-0", 1);
    rooms
        .members
        .get_mut("lobby")
        .unwrap()
        .retain(|peer| peer != "p0-0");
    redis.start().await.unwrap();
    let took = rooms.until_true(&[&n1, &n2], PATIENCE * 2).await;
    println!("true again {took:?} after Redis was back");
    until("both learn that changes may be missing", PATIENCE, || {
        ["lobby", "hall", "stage"]
            .iter()
            .all(|name| n1.gaps(name) > 0 && n2.gaps(name) > 0)
    })
    .await;
}

#[tokio::test]
async fn a_leave_that_waits_for_redis_does_not_remove_a_member_that_came_back() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let n1 = redis_node("n1", &format!("redis://{}", proxy.address()));
    n1.is_up().await;
    n1.join("lobby", "bob", 1).await;
    n1.join("lobby", "eve", 2).await;
    proxy.refuse(true);
    proxy.cut_all();
    until("n1 notices", PATIENCE, || {
        n1.broker.status().state == BusState::Down
    })
    .await;
    n1.leave("lobby", "bob", 1);
    n1.leave("lobby", "eve", 2);
    proxy.refuse(false);
    let came_back = async || n1.join_with(join("lobby", member("bob", 1))).await.ok();
    wait_until("bob joins again", PATIENCE, came_back).await.unwrap();
    n1.until_members("lobby", &["bob"]).await;
}

#[tokio::test]
async fn a_killed_pubsub_connection_is_a_gap_of_each_room() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let rooms = Rooms::fill(&[&n1, &n2]).await;
    assert_eq!(n1.gaps("lobby"), 0);
    let killed: u64 = redis
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await
        .unwrap();
    assert_eq!(killed, 2);
    until("both nodes learn it for every room", PATIENCE, || {
        ["lobby", "hall", "stage"]
            .iter()
            .all(|name| n1.gaps(name) == 1 && n2.gaps(name) == 1)
    })
    .await;
    n1.publish_to_room("stage", &[1, 2, 3]).await.unwrap();
    until("both receive again", PATIENCE, || {
        n1.room_messages("stage").len() == 1 && n2.room_messages("stage").len() == 1
    })
    .await;
    rooms.until_true(&[&n1, &n2], PATIENCE).await;
}

#[tokio::test]
async fn a_redis_that_forgot_the_scripts_of_rooms_gets_them_again() {
    let redis = redis!();
    let n1 = node(&redis, "n1").await;
    let flush = async || redis.command::<String>(&["SCRIPT", "FLUSH"]).await.unwrap();
    flush().await;
    n1.join("lobby", "bob", 1).await;
    flush().await;
    n1.broker
        .detach_member(&room("lobby"), &peer("bob"), session_id(1));
    n1.until_members("lobby", &["bob?"]).await;
    flush().await;
    n1.leave("lobby", "bob", 1);
    n1.until_members("lobby", &[]).await;
}

#[tokio::test]
async fn a_node_that_was_taken_for_dead_enters_its_members_again() {
    let redis = redis!();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    let (n1, n2) = (
        node(&redis, "n1").await,
        redis_node("n2", &format!("redis://{}", proxy.address())),
    );
    n2.is_up().await;
    n1.join("lobby", "bob", 1).await;
    n2.join("lobby", "eve", 2).await;
    n2.join("lobby", "ann", 3).await;
    n2.join("lobby", "tom", 4).await;
    proxy.refuse(true);
    proxy.cut_all();
    n1.join("lobby", "ann", 3).await;
    n1.until_members("lobby", &["ann", "bob"]).await;
    n2.leave("lobby", "tom", 4);
    proxy.refuse(false);
    n1.until_members("lobby", &["ann", "bob", "eve"]).await;
    // Ann is on n1 now, and n2 knows it: its leave changes nothing.
    n2.leave("lobby", "ann", 3);
    n2.leave("lobby", "eve", 2);
    n1.until_members("lobby", &["ann", "bob"]).await;
}

#[tokio::test]
async fn members_of_a_node_that_ends_in_order_stay_for_the_resume_window() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    let short = Claim {
        window: Duration::from_secs(8),
        ..claim(1)
    };
    n2.broker.attach(&key("bob"), short).await.unwrap();
    n1.join("lobby", "ann", 3).await;
    n2.join("lobby", "bob", 1).await;
    n2.join("lobby", "eve", 2).await;
    for (name, session) in [("bob", 1), ("eve", 2)] {
        n2.broker
            .detach_member(&room("lobby"), &peer(name), session_id(session));
    }
    n2.broker.shutdown().await;
    let ended = Instant::now();
    n1.until_members("lobby", &["ann", "bob?", "eve?"]).await;
    let back = n1.join("lobby", "bob", 1).await;
    assert!(!back.is_new);
    n1.until_members("lobby", &["ann", "bob"]).await;
    assert!(
        ended.elapsed() > Duration::from_secs(7),
        "eve could have come back"
    );
    n1.leave_as("lobby", "bob", RoomEntry::Own(own(1)), LeaveReason::Left);
    n1.leave("lobby", "ann", 3);
    n1.broker.forget_room(&room("lobby"));
    until_no_room_keys(&redis).await;
}

#[tokio::test]
async fn a_join_costs_redis_the_same_in_every_room() {
    let redis = redis!();
    let (n1, n2) = (node(&redis, "n1").await, node(&redis, "n2").await);
    n2.join("lobby", "listener", 9).await;
    let mut filled = 0;
    let mut costs = Vec::new();
    for size in [100, 1_000, 5_000] {
        let fill: Vec<_> = (filled..size).map(|number| format!("p{number}")).collect();
        join_all(&n1, &fill).await;
        filled = size;
        // The least of five: Redis counts the time in which another process has its core, too.
        let mut per_call = f64::INFINITY;
        for some in [0, 100, 200, 300, 400].map(|first| first..first + 100) {
            let before = cost(&redis).await;
            let some: Vec<_> = some.map(|number| format!("x{number}")).collect();
            join_all(&n1, &some).await;
            some.iter().for_each(|peer| n1.leave("lobby", peer, 1));
            n1.until_members_count("lobby", size + 1).await;
            let after = cost(&redis).await;
            per_call = per_call.min((after.1 - before.1) / (after.0 - before.0));
        }
        println!("{size} members: {per_call:.1} µs of Redis for a join or leave");
        costs.push(per_call);
    }
    assert!(costs[2] < costs[0] * 3.0, "{costs:?}");
}

async fn join_all(node: &Node, peers: &[String]) {
    let before = node.seen.room_joined.lock().len();
    for peer in peers {
        node.broker.join_room(join("lobby", member(peer, 1))).unwrap();
    }
    until("all have joined", PATIENCE, || {
        node.seen.room_joined.lock().len() == before + peers.len()
    })
    .await;
}

/// Calls of scripts until now, and the microseconds that Redis spent in them.
async fn cost(redis: &RedisServer) -> (f64, f64) {
    let stats: String = redis.command(&["INFO", "commandstats"]).await.unwrap();
    let line = stats
        .lines()
        .find(|line| line.starts_with("cmdstat_evalsha:"))
        .unwrap();
    let field = |name: &str| -> f64 {
        let mut fields = line.split([':', ',']);
        fields
            .find_map(|field| field.strip_prefix(name))
            .unwrap()
            .parse()
            .unwrap()
    };
    (field("calls="), field("usec="))
}
