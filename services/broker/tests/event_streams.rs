//! Event streams: order, one reader for each partition, takeover, bounds, dead events. On every bus.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{sync::Arc, time::Duration};

use common::{Cluster, Node, redis_node};
use switchboard_core::{
    Append, Page, ReadFrom, Replay, STREAM_PARTITIONS, StreamBounds, StreamEntry, StreamEvent,
};

contract!(
    events_of_one_key_are_read_in_their_order_and_once,
    two_nodes_share_the_partitions_and_none_has_two_readers,
    a_new_reader_begins_with_the_events_that_were_not_removed,
    a_node_that_lost_a_partition_reads_nothing_of_it,
    a_full_partition_drops_its_oldest_events_and_says_how_many,
    an_event_with_an_interval_is_appended_once_within_it,
    dead_events_are_bounded_listed_and_replayed,
    one_dead_event_is_replayed_alone_and_only_once,
    the_backlog_counts_all_partitions,
);

const STREAM: &str = "app";

const BOUNDS: StreamBounds = StreamBounds {
    events_per_partition: 100,
    dead: 3,
};

fn event(key: &str, number: usize) -> Append {
    Append {
        stream: STREAM.into(),
        event: Arc::new(StreamEvent {
            id: format!("{key}-{number}"),
            key: key.into(),
            at_ms: 1,
            body: format!("{{\"number\":{number}}}"),
        }),
        at_most_every: None,
    }
}

async fn append(node: &Node, key: &str, numbers: std::ops::Range<usize>) {
    let events: Vec<_> = numbers.map(|number| event(key, number)).collect();
    assert_eq!(node.streams.append(&events, BOUNDS).await, Ok(0));
}

async fn hold(node: &Node, kept: &[usize]) -> Vec<usize> {
    node.streams.hold(STREAM, kept).await.unwrap().partitions
}

/// Everything that `node` can read of `partitions`, in pages of at most `room` events.
async fn read(node: &Node, partitions: &[usize], room: usize) -> Vec<(usize, StreamEntry)> {
    let mut found = Vec::new();
    for partition in partitions {
        let mut from = ReadFrom::start();
        loop {
            let pages = node
                .streams
                .read(STREAM, &[(*partition, from.clone(), room)])
                .await
                .unwrap();
            let [Page::Entries { next, entries }] = &pages[..] else {
                panic!("{pages:?}");
            };
            if entries.is_empty() && *next == from {
                break;
            }
            assert!(entries.len() <= room);
            found.extend(entries.iter().map(|entry| (*partition, entry.clone())));
            from = next.clone();
        }
    }
    found
}

fn ids(found: &[(usize, StreamEntry)]) -> Vec<&str> {
    found.iter().map(|(_, entry)| entry.event.id.as_str()).collect()
}

async fn remove(node: &Node, found: &[(usize, StreamEntry)]) {
    let entries: Vec<_> = found
        .iter()
        .map(|(partition, entry)| (*partition, entry.entry.clone()))
        .collect();
    node.streams.remove(STREAM, &entries).await.unwrap();
}

async fn events_of_one_key_are_read_in_their_order_and_once(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let all = hold(&node, &[]).await;
    assert_eq!(all, Vec::from_iter(0..STREAM_PARTITIONS));
    append(&node, "acme/bob", 0..10).await;
    let found = read(&node, &all, 3).await;
    assert_eq!(
        ids(&found),
        Vec::from_iter((0..10).map(|number| format!("acme/bob-{number}")))
    );
    let StreamEvent { at_ms, body, .. } = &found[9].1.event;
    assert_eq!((*at_ms, body.as_str()), (1, "{\"number\":9}"));
    remove(&node, &found).await;
    assert_eq!(ids(&read(&node, &all, 3).await), [""; 0]);
}

async fn two_nodes_share_the_partitions_and_none_has_two_readers(cluster: Cluster) {
    let (first, second) = (cluster.node("n1").await, cluster.node("n2").await);
    let all = hold(&first, &[]).await;
    assert_eq!(hold(&second, &[]).await, [0; 0]);
    let held = first.streams.hold(STREAM, &all).await.unwrap();
    assert_eq!(
        (held.partitions.len(), held.share),
        (STREAM_PARTITIONS, STREAM_PARTITIONS / 2)
    );
    let kept = &all[..held.share];
    assert_eq!(hold(&first, kept).await, kept);
    assert_eq!(hold(&second, &[]).await, all[held.share..]);
    assert_eq!(hold(&first, kept).await, kept);
    second.streams.leave(STREAM).await.unwrap();
    assert_eq!(hold(&first, kept).await, all);
}

async fn a_new_reader_begins_with_the_events_that_were_not_removed(cluster: Cluster) {
    let (first, second) = (cluster.node("n1").await, cluster.node("n2").await);
    let all = hold(&first, &[]).await;
    append(&first, "acme/bob", 0..6).await;
    let found = read(&first, &all, 4).await;
    remove(&first, &found[1..2]).await;
    append(&first, "acme/bob", 6..8).await;
    first.streams.leave(STREAM).await.unwrap();
    let all = hold(&second, &[]).await;
    let left = [0, 2, 3, 4, 5, 6, 7].map(|number| format!("acme/bob-{number}"));
    assert_eq!(ids(&read(&second, &all, 2).await), left);
}

async fn a_node_that_lost_a_partition_reads_nothing_of_it(cluster: Cluster) {
    let (first, second) = (cluster.node("n1").await, cluster.node("n2").await);
    let all = hold(&first, &[]).await;
    append(&first, "acme/bob", 0..1).await;
    first.streams.leave(STREAM).await.unwrap();
    hold(&second, &[]).await;
    let from: Vec<_> = all
        .iter()
        .map(|partition| (*partition, ReadFrom::New, 9))
        .collect();
    let pages = first.streams.read(STREAM, &from).await.unwrap();
    assert_eq!(pages, vec![Page::Lost; STREAM_PARTITIONS]);
    assert_eq!(ids(&read(&second, &all, 9).await), ["acme/bob-0"]);
}

async fn a_full_partition_drops_its_oldest_events_and_says_how_many(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let all = hold(&node, &[]).await;
    let bounds = StreamBounds {
        events_per_partition: 3,
        ..BOUNDS
    };
    let events: Vec<_> = (0..5).map(|number| event("acme/bob", number)).collect();
    assert_eq!(node.streams.append(&events, bounds).await, Ok(2));
    assert_eq!(
        ids(&read(&node, &all, 9).await),
        ["acme/bob-2", "acme/bob-3", "acme/bob-4"]
    );
}

async fn an_event_with_an_interval_is_appended_once_within_it(cluster: Cluster) {
    let (first, second) = (cluster.node("n1").await, cluster.node("n2").await);
    let all = hold(&first, &[]).await;
    let wanted = |key, number, interval| Append {
        at_most_every: Some(interval),
        ..event(key, number)
    };
    let (long, short) = (Duration::from_secs(60), Duration::from_millis(1));
    first
        .streams
        .append(
            &[wanted("acme/bob", 1, long), wanted("acme/eve", 1, short)],
            BOUNDS,
        )
        .await
        .unwrap();
    tokio::time::sleep(short * 20).await;
    second
        .streams
        .append(
            &[wanted("acme/bob", 2, long), wanted("acme/eve", 2, short)],
            BOUNDS,
        )
        .await
        .unwrap();
    append(&second, "acme/bob", 3..4).await;
    let found = read(&first, &all, 9).await;
    let mut ids = ids(&found);
    ids.sort_unstable();
    assert_eq!(ids, ["acme/bob-1", "acme/bob-3", "acme/eve-1", "acme/eve-2"]);
}

async fn dead_events_are_bounded_listed_and_replayed(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let all = hold(&node, &[]).await;
    append(&node, "acme/bob", 0..5).await;
    let found = read(&node, &all, 9).await;
    for (partition, entry) in &found {
        node.streams
            .give_up(STREAM, *partition, entry, "HTTP 500", BOUNDS)
            .await
            .unwrap();
    }
    // One that another node has delivered meanwhile is not dead.
    node.streams
        .give_up(STREAM, found[0].0, &found[0].1, "late", BOUNDS)
        .await
        .unwrap();
    assert_eq!(ids(&read(&node, &all, 9).await), [""; 0]);
    let dead = node.streams.dead(STREAM, 2).await.unwrap();
    let dead: Vec<_> = dead
        .iter()
        .map(|dead| (dead.event.id.as_str(), dead.reason.as_str()))
        .collect();
    assert_eq!(dead, [("acme/bob-4", "HTTP 500"), ("acme/bob-3", "HTTP 500")]);
    let replay = async |which| node.streams.replay(STREAM, which, 77, BOUNDS).await;
    assert_eq!(replay(Replay::Oldest(2)).await, Ok(2));
    let again = read(&node, &all, 9).await;
    assert_eq!(ids(&again), ["acme/bob-2", "acme/bob-3"]);
    assert_eq!(again[0].1.event.at_ms, 77);
    assert_eq!(replay(Replay::Oldest(9)).await, Ok(1));
    assert_eq!(node.streams.dead(STREAM, 9).await, Ok(Vec::new()));
}

async fn one_dead_event_is_replayed_alone_and_only_once(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let all = hold(&node, &[]).await;
    append(&node, "acme/bob", 0..3).await;
    for (partition, entry) in &read(&node, &all, 9).await {
        let given_up = node
            .streams
            .give_up(STREAM, *partition, entry, "HTTP 500", BOUNDS);
        given_up.await.unwrap();
    }
    let replay = async |id| node.streams.replay(STREAM, Replay::Event(id), 77, BOUNDS).await;
    assert_eq!(replay("acme/bob-1").await, Ok(1));
    assert_eq!(replay("acme/bob-1").await, Ok(0), "it is no dead event any more");
    assert_eq!(replay("").await, Ok(0), "no ID is no event");
    assert_eq!(ids(&read(&node, &all, 9).await), ["acme/bob-1"]);
    let left = node.streams.dead(STREAM, 9).await.unwrap();
    let left: Vec<_> = left.iter().map(|dead| dead.event.id.as_str()).collect();
    assert_eq!(left, ["acme/bob-2", "acme/bob-0"]);
}

async fn the_backlog_counts_all_partitions(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let all = hold(&node, &[]).await;
    for peer in 0..20 {
        append(&node, &format!("acme/p{peer}"), 0..1).await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    let found = read(&node, &all, 99).await;
    node.streams
        .give_up(STREAM, found[0].0, &found[0].1, "HTTP 500", BOUNDS)
        .await
        .unwrap();
    remove(&node, &found[1..10]).await;
    let backlog = node.streams.hold(STREAM, &all).await.unwrap().backlog;
    assert_eq!((backlog.events, backlog.dead), (10, 1));
    assert!(backlog.oldest_ms >= 5, "{backlog:?}");
    assert!(
        found
            .iter()
            .map(|(partition, _)| partition)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            > 1
    );
}

#[tokio::test]
async fn streams_go_on_after_redis_lost_its_data() {
    let redis = redis!();
    let node = redis_node("n1", &redis.url());
    node.is_up().await;
    let all = hold(&node, &[]).await;
    append(&node, "acme/bob", 0..2).await;
    redis.command::<String>(&["FLUSHALL"]).await.unwrap();
    let from = [(0, ReadFrom::New, 9)];
    assert_eq!(node.streams.read(STREAM, &from).await, Ok(vec![Page::Lost]));
    append(&node, "acme/bob", 2..4).await;
    assert_eq!(hold(&node, &all).await, all);
    assert_eq!(ids(&read(&node, &all, 9).await), ["acme/bob-2", "acme/bob-3"]);
}

#[tokio::test]
async fn a_stream_that_nobody_uses_leaves_redis() {
    let redis = redis!();
    let node = redis_node("n1", &redis.url());
    node.is_up().await;
    let all = hold(&node, &[]).await;
    append(&node, "acme/bob", 0..2).await;
    let found = read(&node, &all, 1).await;
    node.streams
        .give_up(STREAM, found[0].0, &found[0].1, "HTTP 500", BOUNDS)
        .await
        .unwrap();
    let keys: Vec<String> = redis.command(&["KEYS", "sb:{e:*"]).await.unwrap();
    assert!(keys.len() > STREAM_PARTITIONS, "{keys:?}");
    for key in keys {
        let left: u64 = redis.command(&["PTTL", &key]).await.unwrap();
        assert!(left > 0, "{key} stays for ever");
    }
}
