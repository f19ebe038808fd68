//! Order, repetition and release in the window of an endpoint.

use std::time::Duration;

use switchboard_core::StreamEvent;

use super::*;

fn entry(key: &str, number: u64) -> StreamEntry {
    StreamEntry {
        entry: format!("{number}-0"),
        event: StreamEvent {
            id: format!("msg_{number}"),
            key: key.into(),
            at_ms: number,
            body: "{}".into(),
        },
    }
}

fn window(entries: &[(usize, &str, u64)]) -> Window {
    let mut window = Window::default();
    for (partition, key, number) in entries {
        window.push(*partition, entry(key, *number));
    }
    window
}

/// Everything that may be sent at `now`, as `key number`.
fn sendable(window: &mut Window, now: Instant) -> Vec<String> {
    let next = std::iter::from_fn(|| window.next(now));
    next.map(|(_, entry)| format!("{} {}", entry.event.key, entry.event.at_ms))
        .collect()
}

#[test]
fn one_event_of_each_peer_is_under_way_and_the_next_follows_when_it_is_done() {
    let now = Instant::now();
    let mut window = window(&[(1, "bob", 1), (1, "bob", 2), (2, "eve", 3), (1, "bob", 4)]);
    assert_eq!(sendable(&mut window, now), ["bob 1", "eve 3"]);
    assert_eq!(
        (window.room(1), window.room(2)),
        (EVENTS_PER_PARTITION - 3, EVENTS_PER_PARTITION - 1)
    );
    window.done(&entry("bob", 1));
    assert_eq!(sendable(&mut window, now), ["bob 2"]);
    // An answer to an event that is done already changes nothing.
    window.done(&entry("bob", 1));
    assert_eq!(sendable(&mut window, now), [""; 0]);
    window.done(&entry("bob", 2));
    window.done(&entry("bob", 4));
    window.done(&entry("eve", 3));
    assert!(window.is_empty(1) && window.is_empty(2) && window.peers.is_empty());
}

#[test]
fn a_refused_event_delays_its_own_peer_alone() {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let mut window = window(&[(1, "bob", 1), (1, "bob", 2), (1, "eve", 3)]);
    assert_eq!(sendable(&mut window, now), ["bob 1", "eve 3"]);
    assert_eq!(window.refused(&entry("bob", 1)), 1);
    window.retry(&entry("bob", 1), now + second);
    window.done(&entry("eve", 3));
    window.push(1, entry("eve", 4));
    assert_eq!(window.next_due(), Some(now + second));
    assert_eq!(sendable(&mut window, now), ["eve 4"]);
    assert_eq!(sendable(&mut window, now + second), ["bob 1"]);
    assert_eq!(window.refused(&entry("bob", 1)), 2);
    window.done(&entry("bob", 1));
    assert_eq!(sendable(&mut window, now + second), ["bob 2"]);
    assert_eq!(window.refused(&entry("bob", 2)), 1);
}

#[test]
fn a_lost_partition_is_forgotten_and_late_answers_to_it_are_ignored() {
    let now = Instant::now();
    let mut window = window(&[(1, "bob", 1), (1, "bob", 2), (2, "eve", 3)]);
    assert_eq!(sendable(&mut window, now), ["bob 1", "eve 3"]);
    window.forget(1);
    assert!(window.is_empty(1) && !window.is_empty(2));
    window.done(&entry("bob", 1));
    window.retry(&entry("bob", 1), now);
    assert_eq!(window.refused(&entry("bob", 1)), 0);
    assert_eq!(sendable(&mut window, now), [""; 0]);
    // It comes back, and the answer to the earlier request of the same event counts.
    window.push(1, entry("bob", 1));
    window.push(1, entry("bob", 2));
    window.done(&entry("bob", 1));
    assert_eq!(sendable(&mut window, now), ["bob 2"]);
}

#[test]
fn a_partition_to_be_released_waits_for_the_events_under_way_alone() {
    let now = Instant::now();
    let mut window = window(&[(1, "bob", 1)]);
    assert_eq!(sendable(&mut window, now), ["bob 1"]);
    window.push(1, entry("bob", 2));
    window.push(1, entry("eve", 3));
    window.stop(1);
    assert_eq!(window.room(1), EVENTS_PER_PARTITION - 1);
    assert_eq!(sendable(&mut window, now), [""; 0]);
    window.done(&entry("bob", 1));
    assert!(window.is_empty(1));
}
