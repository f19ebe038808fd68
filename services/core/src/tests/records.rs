//! The reference records: who owns a peer until when, and what its offline queue takes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use switchboard_protocol::{MessageId, Mid, NodeId, PeerKey, ResumeToken, SessionId};

use super::harness::key;
use crate::{
    AcceptedRanges, BrokerError, Claim, ClaimOutcome, ConflictPolicy, OFFLINE_QUEUE_BYTES,
    OFFLINE_QUEUE_MESSAGES, PreviousOwner, Records, Retention, SessionSnapshot, StoreOutcome, StoredMessage,
};

const WINDOW: Duration = Duration::from_secs(60);

const MS: Duration = Duration::from_millis(1);

const SENDER: SessionId = SessionId::from_bytes([9; 12]);

const fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; 12])
}

/// Records, one peer, and a clock.
struct World {
    records: Records,
    bob: PeerKey,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self {
            records: Records::default(),
            bob: key("bob"),
            now: Instant::now(),
        }
    }

    fn claim(&mut self, node: &str, number: u8, resume: bool) -> Result<ClaimOutcome, BrokerError> {
        let claim = Claim {
            token: ResumeToken::new(session(number), [number; 16]),
            resume,
            on_conflict: ConflictPolicy::TakeOver,
            window: WINDOW,
        };
        self.records.claim(&self.bob, &name(node), &claim, self.now)
    }

    fn detach(&mut self, node: &str, number: u8, fence: u64, snapshot: Option<SessionSnapshot>) {
        let retention = Some(Retention {
            snapshot,
            window: WINDOW,
        });
        self.records.detach(
            &self.bob,
            &name(node),
            session(number),
            fence,
            retention,
            self.now,
        );
    }

    fn store(&mut self, id: u64, prev: Option<u64>, bytes: usize) -> StoreOutcome {
        self.store_as(id, prev, bytes, false, false)
    }

    fn store_as(
        &mut self,
        id: u64,
        prev: Option<u64>,
        bytes: usize,
        is_urgent: bool,
        is_dead: bool,
    ) -> StoreOutcome {
        let message = StoredMessage {
            mid: Mid {
                session: SENDER,
                id: MessageId::Client(id),
            },
            id,
            // Few messages of each peer, so that no share is full before the queue is.
            from: key(&format!("sender{}", id % 8)),
            to: self.bob.clone(),
            prev,
            is_urgent,
            window: WINDOW / 2,
            hold: None,
            is_first: false,
            envelope: vec![b'1'; bytes],
        };
        self.records.store(&message, is_dead, self.now)
    }

    fn queue(&mut self, node: &str, number: u8) -> usize {
        self.records
            .offline_queue(&self.bob, &name(node), session(number), self.now)
            .len()
    }

    fn owner(&mut self) -> Option<(String, bool)> {
        let owner = self.records.owner(&self.bob, self.now)?;
        Some((owner.node.to_string(), owner.is_attached))
    }
}

fn name(node: &str) -> NodeId {
    NodeId::new(node).unwrap()
}

fn accepted(done: u64, ranges: &[(u64, u64)]) -> SessionSnapshot {
    let ranges = AcceptedRanges {
        done,
        ranges: ranges.to_vec(),
    };
    SessionSnapshot {
        accepted: vec![(SENDER, ranges)],
        ..SessionSnapshot::default()
    }
}

const QUEUED: StoreOutcome = queued(WINDOW);

const fn queued(kept_for: Duration) -> StoreOutcome {
    let wakes = false;
    StoreOutcome::Queued { kept_for, wakes }
}

#[test]
fn fences_rise_even_after_the_record_is_gone() {
    let mut world = World::new();
    let first = world.claim("n1", 1, false).unwrap();
    assert!(first.confirmed && first.previous.is_none());
    world
        .records
        .detach(&world.bob, &name("n1"), session(1), first.fence, None, world.now);
    assert_eq!(world.owner(), None);
    let second = world.claim("n2", 2, false).unwrap();
    assert!(second.fence > first.fence);
    let third = world.claim("n3", 3, false).unwrap();
    assert!(third.fence > second.fence);
    let previous = PreviousOwner {
        node: name("n2"),
        session: session(2),
    };
    assert_eq!(third.previous, Some(previous));
}

#[test]
fn only_the_owner_with_the_right_fence_detaches() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    let fence = world.claim("n1", 1, false).unwrap().fence;
    for (node, number, fence) in [
        ("n2", 1, fence),
        ("n1", 2, fence),
        ("n1", 1, fence - 1),
        ("n1", 1, fence + 1),
    ] {
        world.detach(node, number, fence, None);
        assert_eq!(
            world.owner(),
            Some(("n1".into(), true)),
            "{node} {number} {fence}"
        );
    }
    world.detach("n1", 1, fence, None);
    assert_eq!(world.owner(), Some(("n1".into(), false)));
    assert!(world.claim("n1", 1, true).is_ok());
    world.detach("n1", 1, 0, None);
    assert_eq!(world.owner(), Some(("n1".into(), false)), "any fence");
}

#[test]
fn a_detached_session_can_be_resumed_until_its_window_is_over() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    world.detach("n1", 1, 0, Some(SessionSnapshot::default()));
    world.now += WINDOW - MS;
    assert_eq!(world.owner(), Some(("n1".into(), false)));
    let resumed = world.claim("n2", 1, true).unwrap();
    assert_eq!(
        (resumed.snapshot, resumed.previous),
        (Some(SessionSnapshot::default()), None)
    );
    world.detach("n2", 1, 0, Some(SessionSnapshot::default()));
    world.now += WINDOW;
    assert_eq!(world.claim("n1", 1, true), Err(BrokerError::NotResumable));
    assert_eq!(world.owner(), None);
}

#[test]
fn a_resume_needs_the_session_and_its_secret() {
    let mut world = World::new();
    assert_eq!(world.claim("n1", 1, true), Err(BrokerError::NotResumable));
    world.claim("n1", 1, false).unwrap();
    assert_eq!(world.claim("n1", 2, true), Err(BrokerError::NotResumable));
    assert!(world.claim("n2", 1, true).is_ok());
}

#[test]
fn a_message_is_stored_only_for_a_detached_peer_unless_it_is_urgent() {
    let mut world = World::new();
    assert_eq!(world.store(1, None, 1), StoreOutcome::Offline);
    world.claim("n1", 1, false).unwrap();
    assert_eq!(world.store(1, None, 1), StoreOutcome::Attached);
    let urgent = world.store_as(1, None, 1, true, false);
    assert_eq!(urgent, queued(WINDOW / 2));
    assert_eq!(world.owner(), Some(("n1".into(), true)));
    world.detach("n1", 1, 0, None);
    world.now += 10 * MS;
    assert_eq!(world.store(2, Some(1), 1), queued(WINDOW - 10 * MS));
    assert_eq!(world.queue("n1", 1), 2);
}

#[test]
fn a_message_for_a_dead_owner_detaches_the_session() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    let stored = world.store_as(1, None, 1, false, true);
    assert_eq!(stored, queued(WINDOW / 2));
    assert_eq!(world.owner(), Some(("n1".into(), false)));
    world.now += WINDOW / 2 - MS;
    assert_eq!(world.store_as(2, Some(1), 1, false, true), queued(MS));
    world.now += MS;
    assert_eq!(world.owner(), None, "a second message does not prolong it");
}

#[test]
fn repeats_gaps_and_late_messages_differ() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    world.detach("n1", 1, 0, Some(accepted(4, &[(1, 2), (4, 4)])));
    assert_eq!(world.store(4, None, 1), StoreOutcome::Delivered);
    assert_eq!(world.store(3, None, 1), StoreOutcome::Late);
    assert_eq!(world.store(6, Some(5), 1), StoreOutcome::Gap);
    assert_eq!(world.store(5, Some(4), 1), QUEUED);
    assert_eq!(world.store(5, Some(4), 1), QUEUED, "repeated");
    assert_eq!(world.store(7, Some(5), 1), QUEUED);
    assert_eq!(world.queue("n1", 1), 2);
    let resumed = world.claim("n2", 1, true).unwrap();
    assert_eq!(resumed.snapshot, Some(accepted(4, &[(1, 2), (4, 4)])));
    assert_eq!(resumed.offline_queue.len(), 2);
}

#[test]
fn what_was_stored_before_the_detach_stays_behind_what_was_done() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    for (id, prev) in [(3, None), (5, Some(3))] {
        assert_eq!(world.store_as(id, prev, 1, true, false), queued(WINDOW / 2));
    }
    world.detach("n1", 1, 0, Some(accepted(3, &[(1, 3)])));
    assert_eq!(world.store(3, None, 1), StoreOutcome::Delivered);
    assert_eq!(world.store(5, None, 1), QUEUED, "it is there already");
    assert_eq!(world.queue("n1", 1), 2);
    assert_eq!(world.store(4, None, 1), StoreOutcome::Late);
    let resumed = world.claim("n2", 1, true).unwrap();
    assert_eq!(resumed.snapshot, Some(accepted(3, &[(1, 3)])));
}

#[test]
fn an_offline_queue_is_bounded_in_messages() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    world.detach("n1", 1, 0, None);
    for id in 1..=OFFLINE_QUEUE_MESSAGES as u64 {
        assert_eq!(world.store(id, None, 1), QUEUED, "{id}");
    }
    assert_eq!(world.store(300, None, 1), StoreOutcome::Full);
    world
        .records
        .remove_stored(&world.bob, &name("n1"), session(1), 1, 1);
    assert_eq!(world.store(300, None, 1), QUEUED);
}

#[test]
fn an_offline_queue_is_bounded_in_bytes_to_the_last_one() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    world.detach("n1", 1, 0, None);
    assert_eq!(world.store(1, None, OFFLINE_QUEUE_BYTES - 10), QUEUED);
    assert_eq!(world.store(2, None, 11), StoreOutcome::Full);
    assert_eq!(world.store(2, None, 10), QUEUED);
    assert_eq!(world.store(3, None, 0), QUEUED, "exactly full");
    assert_eq!(world.store(4, None, 1), StoreOutcome::Full);
    let remove = |world: &mut World, node: &str, number, messages, bytes| {
        world
            .records
            .remove_stored(&world.bob, &name(node), session(number), messages, bytes);
    };
    remove(&mut world, "n2", 1, 1, OFFLINE_QUEUE_BYTES);
    remove(&mut world, "n1", 2, 1, OFFLINE_QUEUE_BYTES);
    assert_eq!(
        world.store(4, None, 1),
        StoreOutcome::Full,
        "not by another session"
    );
    remove(&mut world, "n1", 1, 1, OFFLINE_QUEUE_BYTES - 10);
    assert_eq!(world.store(4, None, OFFLINE_QUEUE_BYTES - 9), StoreOutcome::Full);
    assert_eq!(world.store(4, None, OFFLINE_QUEUE_BYTES - 10), QUEUED);
    remove(&mut world, "n1", 1, 99, 2 * OFFLINE_QUEUE_BYTES);
    assert_eq!(world.queue("n1", 1), 0);
    assert_eq!(
        world.store(5, None, 2 * OFFLINE_QUEUE_BYTES),
        QUEUED,
        "the first one always fits"
    );
}

#[test]
fn the_offline_queue_belongs_to_the_owner_and_goes_on_to_the_next() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    world.detach("n1", 1, 0, None);
    assert_eq!(world.store(1, None, 3), QUEUED);
    assert_eq!(
        (world.queue("n1", 1), world.queue("n2", 1), world.queue("n1", 2)),
        (1, 0, 0)
    );
    let claimed = world.claim("n2", 2, false).unwrap();
    assert_eq!(claimed.offline_queue, [Bytes::from_static(b"111")]);
    assert_eq!(claimed.snapshot, None, "its node could not say");
    assert_eq!((world.queue("n1", 1), world.queue("n2", 2)), (0, 1));
}

#[test]
fn a_touch_of_the_owner_changes_the_record_and_no_other_does() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    let mut alive = |node: &str, number| {
        world.records.touch(&world.bob, &name(node), session(number));
        world.records.owner(&world.bob, world.now).unwrap().alive
    };
    let before = alive("n2", 1);
    assert_eq!(alive("n1", 2), before);
    assert_ne!(alive("n1", 1), before);
}

#[test]
fn the_sessions_of_a_node_that_ends_can_be_resumed_for_their_window() {
    let mut world = World::new();
    world.claim("n1", 1, false).unwrap();
    assert_eq!(world.records.attached_to(&name("n1")), 1);
    assert_eq!(world.records.attached_to(&name("n2")), 0);
    world.records.orphan(&name("n2"), world.now);
    assert_eq!(world.owner(), Some(("n1".into(), true)), "another node");
    world.records.orphan(&name("n1"), world.now);
    assert_eq!(world.owner(), Some(("n1".into(), false)));
    assert_eq!(world.records.attached_to(&name("n1")), 0);
    world.now += WINDOW - MS;
    world.records.orphan(&name("n1"), world.now);
    world.now += MS;
    assert_eq!(world.owner(), None, "a detached session is not prolonged");
}

#[test]
fn the_bounds_of_an_offline_queue_are_those_of_the_documents() {
    assert_eq!((OFFLINE_QUEUE_MESSAGES, OFFLINE_QUEUE_BYTES), (256, 1_048_576));
}
