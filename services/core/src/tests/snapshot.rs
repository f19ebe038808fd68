//! A snapshot is bounded in bytes, and what it leaves out is never delivered again.

use switchboard_protocol::SessionId;

use crate::{AcceptedRanges, MAX_RANGES, SNAPSHOT_BYTES, SessionSnapshot, Unacked};

fn sender(number: usize) -> SessionId {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(id)
}

/// A receiver of `senders` sessions that each left `ranges` gaps.
fn snapshot(senders: usize, ranges: u64, tail: u64) -> SessionSnapshot {
    let accepted = AcceptedRanges {
        done: ranges * 2,
        ranges: (1..=ranges).map(|at| (at * 2, at * 2)).collect(),
    };
    SessionSnapshot {
        last_seq: tail,
        tail: (1..=tail)
            .map(|seq| Unacked {
                seq,
                sender: sender(0),
                id: seq,
            })
            .collect(),
        accepted: (0..senders)
            .map(|number| (sender(number), accepted.clone()))
            .collect(),
    }
}

#[test]
fn a_snapshot_of_many_senders_with_many_gaps_stays_within_its_bytes() {
    for (senders, ranges, tail) in [
        (1500, MAX_RANGES as u64, 0),
        (4096, 1, 5000),
        (10, 128, 1024),
        (1, 1, 100_000),
    ] {
        let mut snapshot = snapshot(senders, ranges, tail);
        snapshot.shorten();
        assert!(
            snapshot.bytes() <= SNAPSHOT_BYTES,
            "{senders} {ranges} {tail}: {}",
            snapshot.bytes()
        );
    }
}

#[test]
fn ids_in_ranges_that_were_left_out_count_as_given_up() {
    let mut snapshot = snapshot(400, MAX_RANGES as u64, 0);
    let whole = snapshot.accepted[0].1.clone();
    snapshot.shorten();
    assert_eq!(
        snapshot.accepted.len(),
        400,
        "no sender is left out while ranges can be"
    );
    let (_, accepted) = &snapshot.accepted[0];
    assert!(accepted.ranges.len() < MAX_RANGES && !accepted.ranges.is_empty());
    assert_eq!((accepted.last(), accepted.done), (whole.last(), whole.done));
    assert!(
        whole.has(2) && !accepted.has(2) && 2 < accepted.last(),
        "late, never new"
    );
}

#[test]
fn the_most_recent_senders_and_the_oldest_unacknowledged_messages_stay() {
    let mut snapshot = snapshot(4096, 1, 5000);
    snapshot.shorten();
    assert_eq!(snapshot.accepted[0].0, sender(0));
    assert_eq!(snapshot.tail[0].seq, 1);
}

#[test]
fn a_small_snapshot_is_left_as_it_is() {
    let mut small = snapshot(10, 20, 30);
    let before = small.clone();
    small.shorten();
    assert_eq!(small, before);
}
