//! Uses nodes as connections, backends and webhooks do: every operation of the broker at least once, and what follows from a
//! node that dies. For tests of what Redis must allow, and of what it costs. Not tests of the operations themselves.

use std::{sync::Arc, time::Duration};

use switchboard_core::{
    Append, Hold, NodeRecord, Page, Presence, ReadFrom, Replay, Retention, RevocationChange, RoomEntry,
    RoomQuery, SessionSnapshot, StoreOutcome, StoredMessage, StreamBounds, StreamEvent, TenantUsage,
};
use switchboard_harness::wait_until;
use switchboard_protocol::{LeaveReason, Revocation};

use super::{
    Node, PATIENCE, answer, keep, key, next_mid,
    rooms::{join, member, peer, room},
    session_id, stored, token, try_resume, until, until_presence,
};

/// The stream of a webhook.
const STREAM: &str = "app";

const BOUNDS: StreamBounds = StreamBounds {
    events_per_partition: 10,
    dead: 3,
};

/// A lease that is absent proves nothing until the node has been connected for as long as one lasts; then comes a sweep.
const SWEPT_WITHIN: Duration = Duration::from_secs(30);

/// Uses two nodes, and one that dies and starts again. `cut` closes the connections of a node to Redis.
pub(crate) async fn use_everything(node: impl AsyncFn(&str) -> Node, cut: impl AsyncFn()) {
    let (n1, n2) = (node("n1").await, node("n2").await);
    let dead = node("n3").await;
    dead.attach("ghost", 9).await;
    dead.join("crypt", "ghost", 9).await;
    // As after a kill; its next run finds the lease of this one.
    drop(dead);
    let n3 = node("n3").await;

    sessions(&n1, &n2).await;
    stored_messages(&n1, &n2).await;
    rooms(&n1, &n2).await;
    backend(&n1, &n2).await;
    webhooks(&n1).await;
    exchanges(&n1, &n2).await;

    cut().await;
    let again = async || (n1.publish("bob", b"again").await == Ok(1)).then_some(());
    wait_until("messages pass again", PATIENCE, again).await.unwrap();
    n2.is_up().await;

    let is_swept = async || {
        let members = n1.members("crypt").await.ok()?;
        (members.is_empty() && n1.locate("ghost").await == Ok(Presence::Detached)).then_some(())
    };
    wait_until("the dead run's peer is detached", SWEPT_WITHIN, is_swept)
        .await
        .unwrap();
    n3.broker.shutdown().await;
    n2.broker.shutdown().await;
    until_presence(&n1, "bob", &Presence::Detached).await;
    n1.broker.shutdown().await;
}

/// Claims, resumes, presence, messages, and the end of a session. Bob is on the second node afterwards.
async fn sessions(n1: &Node, n2: &Node) {
    super::detached(n1, SessionSnapshot::default()).await;
    assert_eq!(n2.locate("bob").await, Ok(Presence::Detached));
    n1.broker.watch(&key("bob"));
    until("bob is watched", PATIENCE, || !n1.seen.watching.lock().is_empty()).await;
    assert!(try_resume(n2, token(1)).await.unwrap().confirmed);
    until("the watcher hears of bob", PATIENCE, || {
        !n1.seen.changes.lock().is_empty()
    })
    .await;
    n2.broker.touch(&key("bob"), session_id(1));
    assert_eq!(n1.publish("bob", b"hello").await, Ok(1));
    until("bob has it", PATIENCE, || n2.received(b"hello") == 1).await;
    n1.attach("dora", 4).await;
    let short = Retention {
        snapshot: None,
        window: Duration::from_millis(100),
    };
    n1.broker.detach(&key("dora"), session_id(4), 0, Some(short));
    until_presence(n1, "dora", &Presence::Offline).await;
    n1.attach("eve", 5).await;
    n1.broker.detach(&key("eve"), session_id(5), 0, None);
}

/// Messages for a peer without a session, and for a detached one.
async fn stored_messages(n1: &Node, n2: &Node) {
    let hold = Hold {
        time: Duration::from_secs(30),
        tenant_bytes: 1_000,
    };
    n2.attach("dana", 6).await;
    n2.broker
        .detach(&key("dana"), session_id(6), 0, keep(SessionSnapshot::default()));
    for (to, hold) in [("carol", Some(hold)), ("dana", None)] {
        let mid = next_mid();
        let message = StoredMessage {
            hold,
            ..stored(to, mid)
        };
        // The detach is carried out before it, or the message has nobody yet.
        let is_stored = async || {
            n2.broker.store(message.clone()).ok()?;
            let outcome = answer(&n2.seen.stored, mid).await;
            n2.seen.stored.lock().clear();
            matches!(outcome, Ok(StoreOutcome::Queued { .. })).then_some(())
        };
        wait_until("the message is stored", PATIENCE, is_stored)
            .await
            .unwrap();
    }
    assert_eq!(n1.attach("carol", 2).await.offline_queue, ["later"]);
    n1.broker.read_offline_queue(&key("carol"), session_id(2));
    until("the queue is read", PATIENCE, || {
        !n1.seen.offline_queues.lock().is_empty()
    })
    .await;
    n1.broker.remove_stored(&key("carol"), session_id(2), 1, 5);
}

/// Joins, messages, leaves, and what a backend asks.
async fn rooms(n1: &Node, n2: &Node) {
    let mut limited = join("lobby", member("bob", 1));
    limited.max_rooms = 10;
    n2.join_with(limited).await.unwrap();
    n2.join("hall", "bob", 1).await;
    n1.join("lobby", "carol", 2).await;
    n1.publish_to_room("lobby", b"hello").await.unwrap();
    n1.leave("lobby", "carol", 2);
    n1.until_members("lobby", &["bob"]).await;
    n1.leave_as("lobby", "bob", RoomEntry::Any, LeaveReason::Kicked);
    n1.until_members("lobby", &[]).await;
    for node in [n1, n2] {
        node.broker.forget_room(&room("lobby"));
    }
    let has_bob = async || {
        let has = n1.broker.has_member(&room("hall"), &peer("bob")).await;
        has.is_ok_and(|has| has).then_some(())
    };
    wait_until("bob is in the hall", PATIENCE, has_bob).await.unwrap();
    let query = || RoomQuery {
        tenant: "acme".to_owned(),
        prefix: String::new(),
        after: None,
        limit: 10,
    };
    let listed = async || {
        let page = n1.broker.rooms(query()).await.ok()?;
        (page.rooms.len() == 2).then_some(())
    };
    wait_until("the hall and the crypt are listed", PATIENCE, listed)
        .await
        .unwrap();
    let noted = async || {
        let rooms = n1.broker.rooms_of(&key("bob")).await.ok()?;
        (rooms.len() == 1).then_some(())
    };
    wait_until("bob's record notes the hall", PATIENCE, noted)
        .await
        .unwrap();
    n2.broker
        .detach_member(&room("hall"), &peer("bob"), session_id(1));
}

/// Revocations, kicks and records of calls.
async fn backend(n1: &Node, n2: &Node) {
    until("both nodes have read the revocations", PATIENCE, || {
        [n1, n2].iter().all(|node| *node.seen.revocations_read.lock() > 0)
    })
    .await;
    let revocation = |text| Revocation::parse(text, u64::from(u32::MAX)).unwrap();
    for (new, replaces) in [("p acme/zoe 5", None), ("p acme/zoe 9", Some("p acme/zoe 5"))] {
        let change = RevocationChange {
            revocation: revocation(new),
            replaces: replaces.map(revocation),
        };
        n1.broker.revoke(&change).await.unwrap();
    }
    n2.attach("frank", 7).await;
    n2.broker
        .detach(&key("frank"), session_id(7), 0, keep(SessionSnapshot::default()));
    until_presence(n2, "frank", &Presence::Detached).await;
    n1.broker.end_session(&key("frank")).await.unwrap();
    let (name, long) = ("acme/1".to_owned(), Duration::from_secs(60));
    let begun = n1.calls.begin(name.clone(), "ringing".to_owned(), long).await;
    assert_eq!(begun, Ok(None));
    n2.calls
        .replace(name.clone(), "answered".to_owned(), long)
        .await
        .unwrap();
    n1.calls.remove(name).await.unwrap();
}

/// A stream of events from its first to its last.
async fn webhooks(node: &Node) {
    let event = |number: u32| Append {
        stream: STREAM.into(),
        event: Arc::new(StreamEvent {
            id: format!("bob-{number}"),
            key: "acme/bob".into(),
            at_ms: 1,
            body: "{}".to_owned(),
        }),
        at_most_every: Some(Duration::from_millis(u64::from(number))).filter(|every| !every.is_zero()),
    };
    let all = node.streams.hold(STREAM, &[]).await.unwrap().partitions;
    let events = [event(0), event(1), event(0)];
    assert_eq!(node.streams.append(&events, BOUNDS).await, Ok(0));
    let mut found = Vec::new();
    for from in [ReadFrom::start(), ReadFrom::New] {
        for partition in &all {
            let pages = node.streams.read(STREAM, &[(*partition, from.clone(), 9)]).await;
            for page in pages.unwrap() {
                if let Page::Entries { entries, .. } = page {
                    found.extend(entries.into_iter().map(|entry| (*partition, entry)));
                }
            }
        }
    }
    assert_eq!(found.len(), 3);
    let first = (found[0].0, found[0].1.entry.clone());
    node.streams.remove(STREAM, &[first]).await.unwrap();
    for (partition, entry) in &found[1..] {
        let given_up = node
            .streams
            .give_up(STREAM, *partition, entry, "HTTP 500", BOUNDS);
        given_up.await.unwrap();
    }
    assert_eq!(node.streams.dead(STREAM, 9).await.unwrap().len(), 2);
    let replayed = node.streams.replay(STREAM, Replay::Oldest(1), 77, BOUNDS).await;
    assert_eq!(replayed, Ok(1));
    node.streams.hold(STREAM, &all).await.unwrap();
    node.streams.leave(STREAM).await.unwrap();
}

/// What nodes tell each other with each renewal of their leases.
async fn exchanges(n1: &Node, n2: &Node) {
    until("the nodes know the load of each other", PATIENCE, || {
        let _ = n2.broker.cluster_load(Some(7));
        let _ = n2.broker.tenant_usage(TenantUsage::parse("acme/7"));
        let load = n1.broker.cluster_load(Some(5));
        let usage = n1.broker.tenant_usage(TenantUsage::parse("acme/5"));
        let record = |node: &Node| NodeRecord {
            node: node.id.to_string(),
            ..NodeRecord::default()
        };
        let _ = n2.broker.node_records(record(n2));
        let records = n1.broker.node_records(record(n1));
        load.is_some_and(|load| load.others == [7])
            && usage == Some(TenantUsage::parse("acme/7"))
            && records == [record(n2)]
    })
    .await;
}
