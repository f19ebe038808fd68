//! What a receiver remembers of each sender, step by step and at its bounds.

use std::time::{Duration, Instant};

use switchboard_protocol::SessionId;

use super::harness::key;
use crate::{
    AcceptedRanges, Limits, SessionSnapshot, Unacked,
    receive::duplicate_filter::{DedupVerdict, DuplicateFilter, FORGET_AFTER, SESSIONS_PER_SENDING_PEER},
};

const ALICE: SessionId = SessionId::from_bytes([1; 12]);
const CAROL: SessionId = SessionId::from_bytes([2; 12]);
const DAVE: SessionId = SessionId::from_bytes([3; 12]);

fn senders(max: usize) -> Limits {
    Limits {
        senders_per_receiver: max,
        ..Limits::default()
    }
}

fn numbered(number: u16) -> SessionId {
    let mut id = [0; 12];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(id)
}

fn classify(filter: &mut DuplicateFilter, id: u64, prev: Option<u64>) -> DedupVerdict {
    filter.classify((ALICE, &key("alice")), id, prev, &senders(8), Instant::now())
}

fn unacked(seq: u64, id: u64) -> Unacked {
    Unacked {
        seq,
        sender: ALICE,
        id,
    }
}

#[test]
fn a_repeated_message_differs_from_a_new_one_at_each_step() {
    let mut filter = DuplicateFilter::default();
    assert_eq!(classify(&mut filter, 3, None), DedupVerdict::Accept);
    filter.accept(ALICE, None, 3, Instant::now());
    assert_eq!(classify(&mut filter, 3, None), DedupVerdict::AlreadyQueued);
    filter.complete(ALICE, 3);
    assert_eq!(classify(&mut filter, 3, None), DedupVerdict::AlreadyDone);
    assert_eq!(classify(&mut filter, 4, None), DedupVerdict::Accept);
}

#[test]
fn to_classify_changes_nothing() {
    let mut filter = DuplicateFilter::default();
    for _ in 0..2 {
        assert_eq!(classify(&mut filter, 3, None), DedupVerdict::Accept);
    }
}

#[test]
fn a_message_waits_for_the_one_before_it() {
    let mut filter = DuplicateFilter::default();
    assert_eq!(classify(&mut filter, 5, Some(4)), DedupVerdict::Gap);
    filter.accept(ALICE, None, 4, Instant::now());
    assert_eq!(classify(&mut filter, 5, Some(4)), DedupVerdict::Accept);
    assert_eq!(classify(&mut filter, 6, Some(5)), DedupVerdict::Gap);
}

#[test]
fn a_send_that_ended_in_an_error_does_not_block_those_behind_it() {
    let mut filter = DuplicateFilter::default();
    filter.accept(ALICE, None, 4, Instant::now());
    assert_eq!(classify(&mut filter, 6, None), DedupVerdict::Accept);
    assert_eq!(classify(&mut filter, 6, Some(4)), DedupVerdict::Accept);
    filter.accept(ALICE, None, 6, Instant::now());
    filter.complete(ALICE, 6);
    let late = classify(&mut filter, 5, None);
    assert_eq!(late, DedupVerdict::Late, "it must not come after them");
}

#[test]
fn a_refused_message_was_never_accepted() {
    let mut filter = DuplicateFilter::default();
    (1..=2).for_each(|id| filter.accept(ALICE, None, id, Instant::now()));
    filter.refuse(ALICE, 1);
    filter.refuse(CAROL, 1);
    assert_eq!(classify(&mut filter, 1, None), DedupVerdict::Late);
    assert_eq!(classify(&mut filter, 2, None), DedupVerdict::AlreadyQueued);
}

#[test]
fn done_ids_never_become_undone() {
    let mut filter = DuplicateFilter::default();
    (1..=3).for_each(|id| filter.accept(ALICE, None, id, Instant::now()));
    filter.complete(ALICE, 3);
    filter.complete(ALICE, 1);
    assert_eq!(classify(&mut filter, 3, None), DedupVerdict::AlreadyDone);
}

#[test]
fn the_next_connection_knows_what_was_done_and_what_the_client_has_seen() {
    let mut filter = DuplicateFilter::default();
    (1..=4).for_each(|id| filter.accept(ALICE, None, id, Instant::now()));
    filter.accept(CAROL, None, 1, Instant::now());
    filter.complete(ALICE, 2);
    let snapshot = SessionSnapshot {
        last_seq: 4,
        tail: vec![unacked(3, 3), unacked(4, 4)],
        accepted: filter.take_done(),
    };
    let alice = AcceptedRanges {
        done: 2,
        ranges: vec![(1, 2)],
    };
    assert_eq!(snapshot.accepted, [(ALICE, alice)], "nothing of carol is done");
    assert_eq!(filter.take_done(), [], "it was taken out");
    let mut next = DuplicateFilter::default();
    next.restore(snapshot, 3, Instant::now());
    assert_eq!(classify(&mut next, 2, None), DedupVerdict::AlreadyDone);
    assert_eq!(classify(&mut next, 3, None), DedupVerdict::AlreadyDone);
    assert_eq!(classify(&mut next, 4, None), DedupVerdict::Accept);
}

#[test]
fn senders_are_bounded_and_the_silent_ones_are_forgotten() {
    let mut filter = DuplicateFilter::default();
    let start = Instant::now();
    filter.accept(ALICE, None, 1, start);
    filter.complete(ALICE, 1);
    let almost = start + Duration::from_secs(6) - Duration::from_nanos(1);
    let mut carol = |now| filter.classify((CAROL, &key("carol")), 1, None, &senders(1), now);
    assert_eq!(carol(start), DedupVerdict::TooManySenders);
    assert_eq!(carol(almost), DedupVerdict::TooManySenders);
    assert_eq!(
        carol(start + Duration::from_secs(6)),
        DedupVerdict::Accept,
        "nothing is under way"
    );
}

#[test]
fn a_sender_with_a_newer_message_is_not_silent() {
    let mut filter = DuplicateFilter::default();
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    for (id, now) in [(1, start), (2, later)] {
        filter.accept(ALICE, None, id, now);
        filter.complete(ALICE, id);
    }
    let verdict = filter.classify(
        (CAROL, &key("carol")),
        1,
        None,
        &senders(1),
        start + Duration::from_secs(6),
    );
    assert_eq!(verdict, DedupVerdict::TooManySenders);
}

#[test]
fn as_many_senders_as_the_bound_says_are_known() {
    let mut filter = DuplicateFilter::default();
    let now = Instant::now();
    filter.accept(ALICE, None, 1, now);
    assert_eq!(
        filter.classify((CAROL, &key("carol")), 1, None, &senders(2), now),
        DedupVerdict::Accept
    );
    filter.accept(CAROL, None, 1, now);
    assert_eq!(
        filter.classify((DAVE, &key("dave")), 1, None, &senders(2), now),
        DedupVerdict::TooManySenders
    );
    assert_eq!(
        filter.classify((ALICE, &key("alice")), 2, None, &senders(2), now),
        DedupVerdict::Accept,
        "a known sender needs no room"
    );
}

#[test]
fn a_sender_with_a_message_in_the_send_queue_is_never_forgotten() {
    let mut filter = DuplicateFilter::default();
    let start = Instant::now();
    filter.accept(ALICE, None, 1, start);
    let later = start + 2 * FORGET_AFTER;
    assert_eq!(
        filter.classify((CAROL, &key("carol")), 1, None, &senders(1), later),
        DedupVerdict::TooManySenders
    );
}

#[test]
fn silent_senders_stay_known_while_there_is_room() {
    let mut filter = DuplicateFilter::default();
    let start = Instant::now();
    filter.accept(ALICE, None, 1, start);
    filter.complete(ALICE, 1);
    let later = start + 2 * FORGET_AFTER;
    assert_eq!(
        filter.classify((CAROL, &key("carol")), 1, None, &senders(8), later),
        DedupVerdict::Accept
    );
    assert_eq!(
        filter.classify((ALICE, &key("alice")), 1, None, &senders(8), later),
        DedupVerdict::AlreadyDone
    );
}

#[test]
fn one_peer_with_many_sessions_has_a_share_of_the_table_and_others_are_taken() {
    let mut filter = DuplicateFilter::default();
    let (limits, now) = (senders(64), Instant::now());
    let mallory = key("mallory");
    let taken = (0..4096).filter(|number| {
        let sender = numbered(*number);
        let verdict = filter.classify((sender, &mallory), 1, None, &limits, now);
        if verdict == DedupVerdict::Accept {
            filter.accept(sender, Some(&mallory), 1, now);
            filter.complete(sender, 1);
        }
        verdict == DedupVerdict::Accept
    });
    assert_eq!(taken.count(), SESSIONS_PER_SENDING_PEER);
    let carol = filter.classify((CAROL, &key("carol")), 1, None, &limits, now);
    assert_eq!(carol, DedupVerdict::Accept);
    let later = now + Duration::from_secs(6);
    let again = filter.classify((numbered(5000), &mallory), 1, None, &limits, later);
    assert_eq!(again, DedupVerdict::Accept, "its oldest idle session gives way");
}

#[test]
fn a_session_that_repeats_is_not_idle() {
    let mut filter = DuplicateFilter::default();
    let start = Instant::now();
    filter.accept(ALICE, None, 1, start);
    filter.complete(ALICE, 1);
    let at = |seconds| start + Duration::from_secs(seconds);
    let alice = key("alice");
    let repeated = filter.classify((ALICE, &alice), 1, None, &senders(1), at(5));
    assert_eq!(repeated, DedupVerdict::AlreadyDone);
    let carol = filter.classify((CAROL, &key("carol")), 1, None, &senders(1), at(7));
    assert_eq!(carol, DedupVerdict::TooManySenders);
}
