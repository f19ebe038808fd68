//! Slots of a real Redis Cluster that are half moved for a while, move alone, or take the home of a shard with them. What moves
//! under load is in `redis_cluster`.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::time::{Duration, Instant};

use common::{
    Node, PATIENCE, claim,
    cluster::{HEALED_WITHIN, PEERS, Scene, hears, name, place_of},
    keep, key, ranges,
    redis::metrics_name_the_masters,
    session_id, stored, token, try_resume, until,
};
use switchboard_core::{Claim, Presence, RevocationChange, StoreOutcome, StoredMessage};
use switchboard_harness::wait_until;
use switchboard_protocol::{MessageId, Mid, PresenceState, Revocation};

/// A change that is published at once takes less.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The key of a peer's record.
async fn record_of(scene: &Scene, peer: &str) -> String {
    for master in scene.redis.masters().await {
        let keys: Vec<String> = master
            .command(&["KEYS", &format!("sb:*:s:acme/{peer}")])
            .await
            .unwrap();
        if let [record] = keys.as_slice() {
            return record.clone();
        }
    }
    String::new()
}

#[tokio::test]
async fn a_revocation_in_a_slot_that_is_half_moved_reaches_every_node_at_once() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let channels = scene.channels("sb:*:revoked").await;
    let (slot, from, to) = place_of(&scene.redis, &channels[0].0).await;
    scene.redis.begin_move(slot, from, to).await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let change = RevocationChange {
        revocation: Revocation::parse("p acme/alice 5", now.unwrap().as_secs() + 100).unwrap(),
        replaces: None,
    };
    scene.n1.broker.revoke(&change).await.unwrap();
    for node in [&scene.n1, &scene.n2] {
        let knows = || node.seen.revocations.lock().contains(&change.revocation);
        let took = until("the node knows the revocation", PATIENCE, knows).await;
        assert!(took < AT_ONCE, "{took:?}");
    }
    scene.redis.end_move(slot, from, to).await.unwrap();
    scene.all_hear().await;
}

/// The messages that wait for bob.
async fn store_for_bob(node: &Node) {
    let mid = Mid {
        session: session_id(7),
        id: MessageId::Client(4),
    };
    let message = StoredMessage {
        is_first: false,
        ..stored("bob", mid)
    };
    node.broker.store(message).unwrap();
    let outcome = common::answer(&node.seen.stored, mid).await;
    assert!(matches!(outcome, Ok(StoreOutcome::Queued { .. })), "{outcome:?}");
}

#[tokio::test]
async fn who_watches_a_peer_hears_its_changes_while_its_slot_is_half_moved() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let (n1, n2) = (&scene.n1, &scene.n2);
    common::detached(n2, ranges(3, &[])).await;
    store_for_bob(n1).await;
    if !n1.broker.watch(&key("bob")) {
        let watches = || n1.seen.watching.lock().contains(&"acme/bob".to_owned());
        until("bob is watched", PATIENCE, watches).await;
    }
    let record = record_of(&scene, "bob").await;
    let (slot, from, to) = place_of(&scene.redis, &record).await;
    scene.redis.begin_move(slot, from, to).await.unwrap();
    // Redis runs the script on the new master, because all of its keys are there.
    let resumed = try_resume(n2, token(1)).await.unwrap();
    assert_eq!(resumed.offline_queue, [b"later".as_slice()], "carried out once");
    let is_received = || {
        let changes = n1.seen.changes.lock();
        changes
            .iter()
            .any(|(peer, _, state)| peer == "acme/bob" && *state == PresenceState::Online)
    };
    let took = until("the change is received", PATIENCE, is_received).await;
    assert!(took < AT_ONCE, "{took:?}");
    scene.redis.end_move(slot, from, to).await.unwrap();
    hears(n1, n2, "bob").await;
}

#[tokio::test]
async fn claims_in_a_slot_that_stays_half_moved_fail_in_time_and_messages_pass() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let (n1, n2) = (&scene.n1, &scene.n2);
    let (slot, from, to) = place_of(&scene.redis, &record_of(&scene, "p0").await).await;
    scene.redis.begin_move(slot, from, to).await.unwrap();
    let since = Instant::now();
    // Some of the claim's keys exist, and others do not.
    let claimed = n2.broker.attach(&key("p0"), claim(200)).await.unwrap();
    assert!(!claimed.confirmed, "it goes on in the background");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let error = format!(
        "switchboard_redis_command_errors_total{{op=\"claim\",shard=\"127.0.0.1:{}\"}} 0",
        from.port()
    );
    let is_counted = || !n2.telemetry.render().unwrap().contains(&error);
    until("the error is counted", PATIENCE, is_counted).await;
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(6)).contains(&since.elapsed()),
        "{:?}",
        since.elapsed()
    );
    hears(n1, n2, "p0").await;
    assert!(n2.attach("another", 100).await.confirmed);
    hears(n1, n2, "another").await;
    scene.redis.end_move(slot, from, to).await.unwrap();
    let owner = Presence::Attached { node: n2.id.clone() };
    common::until_presence(n1, "p0", &owner).await;
}

#[tokio::test]
async fn sessions_of_other_slots_end_while_one_slot_is_half_moved() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let (n1, n2) = (&scene.n1, &scene.n2);
    let (slot, from, to) = place_of(&scene.redis, &record_of(&scene, "p0").await).await;
    // Another peer, on the same master.
    let mut other = None;
    for number in 1..PEERS {
        let (other_slot, master, _) = place_of(&scene.redis, &record_of(&scene, &name(number)).await).await;
        if other_slot != slot && master.port() == from.port() {
            other = Some(number);
        }
    }
    let other = other.unwrap();
    let short = Duration::from_millis(500);
    let kept = |number: u8| switchboard_core::Retention {
        window: short,
        ..keep(ranges(u64::from(number), &[])).unwrap()
    };
    // Its end is noted, too, and moves.
    n2.broker.detach(&key("p0"), session_id(1), 0, Some(kept(1)));
    common::until_presence(n1, "p0", &Presence::Detached).await;
    scene.redis.begin_move(slot, from, to).await.unwrap();
    n2.broker
        .detach(&key(&name(other)), session_id(other + 1), 0, Some(kept(2)));
    let has_ended = || {
        let ended = |node: &Node| {
            node.seen
                .ended
                .lock()
                .iter()
                .any(|(_, s)| *s == session_id(other + 1))
        };
        ended(n1) || ended(n2)
    };
    until("the session ended", PATIENCE, has_ended).await;
    scene.redis.end_move(slot, from, to).await.unwrap();
    let has_ended = || {
        let ended = |node: &Node| node.seen.ended.lock().iter().any(|(_, s)| *s == session_id(1));
        ended(n1) || ended(n2)
    };
    until("the session that moved ended", PATIENCE, has_ended).await;
}

#[tokio::test]
async fn a_slot_that_moves_alone_is_subscribed_at_its_new_master_at_once_over_the_same_connections() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    scene.all_hear().await;
    let homes = scene.channels("sb:*:n:*").await;
    let of_cluster = scene.channels("sb:*:revoked").await;
    let peers = scene.channels("sb:*:p:acme/p*").await;
    let is_free = |(_, slot): &&(String, u16)| !homes.iter().chain(&of_cluster).any(|(_, home)| home == slot);
    let (channel, _) = peers.iter().find(is_free).unwrap();
    let (slot, from, to) = place_of(&scene.redis, channel).await;
    let connections = async || {
        let mut ids = Vec::new();
        for master in scene.redis.masters().await {
            let list: String = master
                .command(&["CLIENT", "LIST", "TYPE", "pubsub"])
                .await
                .unwrap();
            ids.extend(
                list.lines()
                    .filter_map(|line| Some((master.port(), line.split(' ').next()?.to_owned()))),
            );
        }
        ids.sort_unstable();
        ids
    };
    let before = connections().await;
    scene.redis.move_slot(slot, from, to).await.unwrap();
    let is_subscribed = async || {
        let channels: Vec<String> = to.command(&["PUBSUB", "SHARDCHANNELS", channel]).await.unwrap();
        (channels == [channel.clone()]).then_some(())
    };
    let (_, took) = wait_until("it is subscribed at the new master", HEALED_WITHIN, is_subscribed)
        .await
        .unwrap();
    println!("subscribed after {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(connections().await, before);
    scene.all_hear().await;
    scene.all_own().await;
}

/// The channel of a node on the master with the most peers, whose slot is the home of that shard.
async fn a_home(scene: &Scene) -> String {
    let homes = scene.channels("sb:*:n:n1").await;
    assert_eq!(homes.len(), 3, "{homes:?}");
    homes[0].0.clone()
}

/// A lease, and some time for it to run out.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(13);

#[tokio::test]
async fn a_home_that_stays_half_moved_costs_no_node_its_lease() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let (slot, from, to) = place_of(&scene.redis, &a_home(&scene).await).await;
    scene.redis.begin_move(slot, from, to).await.unwrap();
    // A connection that is made meanwhile takes the lease, too.
    from.command::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
        .await
        .unwrap();
    let since = Instant::now();
    while since.elapsed() < LONGER_THAN_A_LEASE {
        scene.all_hear().await;
        scene.all_own().await;
    }
    for node in [&scene.n1, &scene.n2] {
        let text = node.telemetry.render().unwrap();
        let renewed = text
            .lines()
            .filter_map(|line| line.strip_prefix("switchboard_lease_renewed_timestamp_seconds{"));
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_s = now_s.unwrap().as_secs_f64();
        for line in renewed {
            let at_s: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(now_s - at_s < 6.0, "renewed {} s ago: {line}", now_s - at_s);
        }
    }
    scene.redis.end_move(slot, from, to).await.unwrap();
    scene.all_hear().await;
    scene.all_own().await;
}

#[tokio::test]
async fn a_home_that_moves_costs_no_peer_its_claim_and_metrics_name_the_masters() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let (slot, from, to) = place_of(&scene.redis, &a_home(&scene).await).await;
    scene.redis.move_slot(slot, from, to).await.unwrap();
    scene.all_hear().await;
    scene.all_own().await;
    for node in [&scene.n1, &scene.n2] {
        metrics_name_the_masters(&scene.redis, node).await;
    }
    scene.redis.move_slot(slot, to, from).await.unwrap();
    scene.all_hear().await;
    scene.all_own().await;
    for node in [&scene.n1, &scene.n2] {
        metrics_name_the_masters(&scene.redis, node).await;
    }
}

#[tokio::test]
async fn a_dead_run_is_found_on_every_master_although_a_home_has_moved_away_from_its_records() {
    let Some(scene) = Scene::with_replicas(0).await else {
        return;
    };
    let short = Claim {
        window: Duration::from_secs(1),
        ..claim(100)
    };
    scene.n1.broker.attach(&key("alice"), short).await.unwrap();
    let home = a_home(&scene).await;
    let Scene { redis, n1, n2 } = scene;
    // Dropped without a shutdown, as after a kill. Nobody has found it yet.
    drop(n2);
    let (slot, from, to) = place_of(&redis, &home).await;
    redis.move_slot(slot, from, to).await.unwrap();
    let since = Instant::now();
    for number in 0..PEERS {
        let gone = async || (n1.locate(&name(number)).await == Ok(Presence::Offline)).then_some(());
        wait_until("the record ends", PATIENCE * 4, gone).await.unwrap();
    }
    println!("all are gone after {:?}", since.elapsed());
    let alive = Presence::Attached { node: n1.id.clone() };
    assert_eq!(n1.locate("alice").await, Ok(alive));
    let only_n1 = async || {
        for master in redis.masters().await {
            for list in master.command::<Vec<String>>(&["KEYS", "sb:*:runs"]).await.ok()? {
                let nodes: Vec<String> = master.command(&["HVALS", &list]).await.ok()?;
                if nodes != ["n1"] {
                    return None;
                }
            }
        }
        Some(())
    };
    wait_until("the run is forgotten everywhere", PATIENCE, only_n1)
        .await
        .unwrap();
}
