//! What every backend owes a session that outlives its connection: it is kept and resumed, its owner is asked, its
//! offline queue is filled and emptied. Each test runs on the memory bus and on a real Redis.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

#[macro_use]
mod common;

use std::time::Duration;

use common::{Cluster, Node, PATIENCE, WINDOW, claim, key, session_id, token, until};
use switchboard_core::{
    AcceptedRanges, BrokerError, Claim, ClaimOutcome, ConflictPolicy, OFFLINE_QUEUE_BYTES,
    OFFLINE_QUEUE_MESSAGES, Presence, Retention, SessionSnapshot, StoreOutcome, StoredMessage, Unacked,
};
use switchboard_protocol::{MessageId, Mid, NodeMessage, ResumeToken};

contract!(
    a_detached_session_is_resumed_elsewhere_with_its_snapshot,
    a_session_is_not_resumed_with_another_secret_or_after_another_took_the_peer,
    a_session_is_not_resumed_after_its_window,
    a_session_that_was_ended_is_offline_and_cannot_be_resumed,
    a_session_whose_node_shut_down_is_resumed_without_a_snapshot,
    stored_messages_keep_their_order_and_stay_until_they_are_removed,
    a_message_is_stored_once_and_only_after_the_one_before_it,
    a_message_that_was_done_before_the_detach_is_delivered,
    a_message_that_was_skipped_is_late_even_with_the_largest_ids,
    an_offline_queue_is_bounded_in_messages,
    an_offline_queue_is_bounded_in_bytes_and_its_first_message_may_be_larger,
    removed_messages_make_room_again,
    only_the_owner_reads_and_removes_stored_messages,
    an_unknown_message_behind_a_gap_is_not_stored,
    an_attached_peer_gets_only_urgent_messages_and_a_hint_with_them,
    messages_stored_before_the_detach_are_still_known_after_it,
    a_resume_asks_the_node_that_still_owns_the_session_and_waits_for_it,
    a_resume_takes_over_from_a_node_that_does_not_answer,
    a_probing_claim_is_refused_once_the_owner_was_touched,
    a_probing_claim_takes_over_from_a_silent_owner,
    only_the_owner_touches_its_record,
    a_detach_of_an_earlier_claim_of_the_same_session_changes_nothing,
);

fn keep(saved: SessionSnapshot) -> Option<Retention> {
    Some(Retention {
        snapshot: Some(saved),
        window: WINDOW,
    })
}

fn resume(token: ResumeToken, within: Duration) -> Claim {
    Claim {
        token,
        resume: true,
        if_held: ConflictPolicy::DetachThenTakeOver(within),
        window: WINDOW,
    }
}

async fn try_resume(node: &Node, token: ResumeToken) -> Result<ClaimOutcome, BrokerError> {
    node.broker
        .attach(&key("bob"), resume(token, Duration::ZERO))
        .await
}

fn message(sender: u8, id: u64, prev: Option<u64>, envelope: &str) -> StoredMessage {
    let mid = Mid {
        session: session_id(sender),
        id: MessageId::Client(id),
    };
    StoredMessage {
        mid,
        id,
        to: key("bob"),
        prev,
        is_urgent: false,
        window: WINDOW,
        envelope: envelope.into(),
    }
}

async fn store(node: &Node, message: StoredMessage) -> Result<StoreOutcome, BrokerError> {
    let before = node.seen.stored.lock().len();
    node.broker.store(message).unwrap();
    until("an answer came", PATIENCE, || {
        node.seen.stored.lock().len() > before
    })
    .await;
    node.seen.stored.lock()[before].1
}

/// Whether it was queued for about the window.
async fn is_queued(node: &Node, message: StoredMessage) -> bool {
    matches!(store(node, message).await, Ok(StoreOutcome::Queued(lasts)) if lasts <= WINDOW && lasts > WINDOW / 2)
}

async fn detached(node: &Node, saved: SessionSnapshot) {
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, keep(saved));
    // Commands of one node are carried out in order.
    assert_eq!(node.locate("bob").await, Ok(Presence::Detached));
}

/// A snapshot with these ids of the sender 7.
fn ranges(done: u64, ranges: &[(u64, u64)]) -> SessionSnapshot {
    let accepted = AcceptedRanges {
        done,
        ranges: ranges.to_vec(),
    };
    SessionSnapshot {
        accepted: vec![(session_id(7), accepted)],
        ..SessionSnapshot::default()
    }
}

async fn a_detached_session_is_resumed_elsewhere_with_its_snapshot(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let saved = SessionSnapshot {
        last_seq: 12,
        tail: vec![Unacked {
            seq: 12,
            sender: session_id(7),
            id: 9,
        }],
        ..ranges(8, &[(1, 2), (5, 8)])
    };
    detached(&n1, saved.clone()).await;
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!(attached.snapshot, Some(saved));
    assert!(attached.confirmed && attached.previous.is_none() && attached.offline_queue.is_empty());
    assert_eq!(
        n1.locate("bob").await,
        Ok(Presence::Attached { node: n2.id.clone() })
    );
    assert_eq!(n1.publish("bob", b"again").await, Ok(1));
    until("n2 received it", PATIENCE, || n2.received(b"again") == 1).await;
}

async fn a_session_is_not_resumed_with_another_secret_or_after_another_took_the_peer(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    assert_eq!(try_resume(&n2, token(1)).await, Err(BrokerError::NotResumable));
    detached(&n1, SessionSnapshot::default()).await;
    let guess = ResumeToken::new(session_id(1), [0; 16]);
    assert_eq!(try_resume(&n2, guess).await, Err(BrokerError::NotResumable));
    assert_eq!(
        n1.locate("bob").await,
        Ok(Presence::Detached),
        "the guess changed nothing"
    );
    n2.attach("bob", 2).await;
    assert_eq!(try_resume(&n1, token(1)).await, Err(BrokerError::NotResumable));
    assert_eq!(
        n1.locate("bob").await,
        Ok(Presence::Attached { node: n2.id.clone() })
    );
}

async fn a_session_is_not_resumed_after_its_window(cluster: Cluster) {
    let node = cluster.node("n1").await;
    node.attach("bob", 1).await;
    let keep = Retention {
        snapshot: Some(SessionSnapshot::default()),
        window: Duration::from_millis(50),
    };
    node.broker.detach(&key("bob"), session_id(1), 0, Some(keep));
    let end = std::time::Instant::now() + PATIENCE;
    while node.locate("bob").await != Ok(Presence::Offline) {
        assert!(std::time::Instant::now() < end, "the session stayed for ever");
    }
    assert_eq!(
        store(&node, message(7, 1, None, "x")).await,
        Ok(StoreOutcome::Offline)
    );
    assert_eq!(try_resume(&node, token(1)).await, Err(BrokerError::NotResumable));
}

async fn a_session_that_was_ended_is_offline_and_cannot_be_resumed(cluster: Cluster) {
    let node = cluster.node("n1").await;
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, None);
    assert_eq!(
        store(&node, message(7, 1, None, "x")).await,
        Ok(StoreOutcome::Offline)
    );
    assert_eq!(try_resume(&node, token(1)).await, Err(BrokerError::NotResumable));
}

async fn a_session_whose_node_shut_down_is_resumed_without_a_snapshot(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n1.broker.shutdown().await;
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!((attached.snapshot, attached.previous), (None, None));
}

async fn stored_messages_keep_their_order_and_stay_until_they_are_removed(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    detached(&n1, SessionSnapshot::default()).await;
    assert!(is_queued(&n2, message(7, 1, None, "one")).await);
    assert!(is_queued(&n2, message(8, 1, None, "two")).await);
    assert!(is_queued(&n1, message(7, 2, Some(1), "three")).await);
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!(attached.offline_queue, ["one", "two", "three"]);
    n2.broker.remove_stored(&key("bob"), session_id(1), 2, 6);
    n2.broker.read_offline_queue(&key("bob"), session_id(1));
    until("the messages came", PATIENCE, || {
        !n2.seen.offline_queues.lock().is_empty()
    })
    .await;
    assert_eq!(n2.seen.offline_queues.lock()[0], ["three"]);
    n2.broker
        .detach(&key("bob"), session_id(1), 0, keep(SessionSnapshot::default()));
    n2.locate("bob").await.unwrap();
    let attached = try_resume(&n1, token(1)).await.unwrap();
    assert_eq!(attached.offline_queue, ["three"], "the last one was not removed");
}

async fn a_message_is_stored_once_and_only_after_the_one_before_it(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    assert_eq!(
        store(&node, message(7, 2, Some(1), "two")).await,
        Ok(StoreOutcome::Gap)
    );
    assert!(is_queued(&node, message(7, 1, None, "one")).await);
    assert!(is_queued(&node, message(7, 1, None, "one")).await, "repeated");
    assert!(is_queued(&node, message(7, 2, Some(1), "two")).await);
    assert_eq!(
        try_resume(&node, token(1)).await.unwrap().offline_queue,
        ["one", "two"]
    );
}

async fn a_message_that_was_done_before_the_detach_is_delivered(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, ranges(4, &[(1, 4)])).await;
    assert_eq!(
        store(&node, message(7, 4, None, "old")).await,
        Ok(StoreOutcome::Delivered)
    );
    assert!(is_queued(&node, message(7, 5, Some(4), "new")).await);
    assert_eq!(try_resume(&node, token(1)).await.unwrap().offline_queue, ["new"]);
}

async fn a_message_that_was_skipped_is_late_even_with_the_largest_ids(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let high = u64::MAX - 3;
    detached(&node, ranges(high + 2, &[(high, high), (high + 2, high + 2)])).await;
    assert_eq!(
        store(&node, message(7, high + 1, None, "x")).await,
        Ok(StoreOutcome::Late)
    );
    assert_eq!(
        store(&node, message(7, high, None, "x")).await,
        Ok(StoreOutcome::Delivered)
    );
    assert!(is_queued(&node, message(7, high + 3, None, "x")).await);
}

async fn an_offline_queue_is_bounded_in_messages(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    let mut stored = 0;
    loop {
        let prev = (stored > 0).then_some(stored);
        let outcome = store(&node, message(7, stored + 1, prev, "x")).await;
        if outcome == Ok(StoreOutcome::Full) {
            break;
        }
        assert!(matches!(outcome, Ok(StoreOutcome::Queued(_))), "{outcome:?}");
        stored += 1;
        assert!(stored < 10_000, "the queue has no bound");
    }
    assert_eq!(stored, OFFLINE_QUEUE_MESSAGES as u64);
    assert_eq!(
        try_resume(&node, token(1)).await.unwrap().offline_queue.len(),
        OFFLINE_QUEUE_MESSAGES
    );
}

async fn an_offline_queue_is_bounded_in_bytes_and_its_first_message_may_be_larger(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let sized = |id, prev, bytes: usize| StoredMessage {
        envelope: vec![b'x'; bytes],
        ..message(7, id, prev, "")
    };
    detached(&node, SessionSnapshot::default()).await;
    assert!(is_queued(&node, sized(1, None, OFFLINE_QUEUE_BYTES - 10)).await);
    let full = Ok(StoreOutcome::Full);
    assert_eq!(
        store(&node, sized(2, Some(1), 11)).await,
        full,
        "one byte too many"
    );
    assert!(is_queued(&node, sized(2, Some(1), 10)).await, "exactly full");
    assert_eq!(store(&node, sized(3, Some(2), 1)).await, full);
    let messages = try_resume(&node, token(1)).await.unwrap().offline_queue;
    assert_eq!(messages.len(), 2);
    node.broker
        .remove_stored(&key("bob"), session_id(1), 2, OFFLINE_QUEUE_BYTES);
    node.broker
        .detach(&key("bob"), session_id(1), 0, keep(SessionSnapshot::default()));
    assert!(is_queued(&node, sized(1, None, OFFLINE_QUEUE_BYTES + 1)).await);
    assert_eq!(store(&node, sized(2, Some(1), 1)).await, full);
}

async fn removed_messages_make_room_again(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let half = |id, prev| StoredMessage {
        envelope: vec![b'x'; OFFLINE_QUEUE_BYTES / 2],
        ..message(7, id, prev, "")
    };
    detached(&node, SessionSnapshot::default()).await;
    assert!(is_queued(&node, half(1, None)).await);
    assert!(is_queued(&node, half(2, Some(1))).await);
    assert_eq!(store(&node, half(3, Some(2))).await, Ok(StoreOutcome::Full));
    try_resume(&node, token(1)).await.unwrap();
    node.broker
        .remove_stored(&key("bob"), session_id(1), 1, OFFLINE_QUEUE_BYTES / 2);
    let done = ranges(1, &[(1, 1)]);
    node.broker.detach(&key("bob"), session_id(1), 0, keep(done));
    assert!(
        is_queued(&node, half(2, Some(1))).await,
        "it has room for one more"
    );
    assert_eq!(store(&node, half(3, Some(2))).await, Ok(StoreOutcome::Full));
}

async fn only_the_owner_reads_and_removes_stored_messages(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    detached(&n1, SessionSnapshot::default()).await;
    assert!(is_queued(&n1, message(7, 1, None, "one")).await);
    try_resume(&n1, token(1)).await.unwrap();
    for (node, session) in [(&n1, 2), (&n2, 1)] {
        let session = session_id(session);
        node.broker.remove_stored(&key("bob"), session, 1, 3);
        node.broker.read_offline_queue(&key("bob"), session);
        // Commands of one node are carried out in order.
        node.locate("bob").await.unwrap();
    }
    assert_eq!(
        (
            n1.seen.offline_queues.lock().len(),
            n2.seen.offline_queues.lock().len()
        ),
        (0, 0)
    );
    n1.broker.read_offline_queue(&key("bob"), session_id(1));
    until("n1 found the message", PATIENCE, || {
        *n1.seen.offline_queues.lock() == [["one"]]
    })
    .await;
}

async fn an_unknown_message_behind_a_gap_is_not_stored(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, ranges(4, &[(1, 4)])).await;
    let gap = Ok(StoreOutcome::Gap);
    assert_eq!(store(&node, message(7, 6, Some(5), "x")).await, gap);
    assert!(is_queued(&node, message(7, 6, Some(4), "six")).await);
    assert_eq!(
        store(&node, message(8, 6, Some(5), "x")).await,
        gap,
        "another sender"
    );
    assert_eq!(try_resume(&node, token(1)).await.unwrap().offline_queue, ["six"]);
}

async fn an_attached_peer_gets_only_urgent_messages_and_a_hint_with_them(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    assert_eq!(
        store(&n1, message(7, 1, None, "one")).await,
        Ok(StoreOutcome::Attached)
    );
    let urgent = StoredMessage {
        is_urgent: true,
        ..message(7, 1, None, "one")
    };
    assert!(is_queued(&n1, urgent).await);
    let hint = NodeMessage::OfflineQueueHint { key: key("bob") }.encode();
    until("n2 got the hint", PATIENCE, || {
        n2.seen
            .node_messages
            .lock()
            .iter()
            .any(|message| *message == hint)
    })
    .await;
    n2.broker.read_offline_queue(&key("bob"), session_id(1));
    until("n2 found the message", PATIENCE, || {
        *n2.seen.offline_queues.lock() == [["one"]]
    })
    .await;
}

async fn messages_stored_before_the_detach_are_still_known_after_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    let urgent = StoredMessage {
        is_urgent: true,
        ..message(7, 5, None, "five")
    };
    assert!(is_queued(&n1, urgent).await);
    n2.broker
        .detach(&key("bob"), session_id(1), 0, keep(ranges(3, &[(1, 3)])));
    n2.locate("bob").await.unwrap();
    assert!(
        is_queued(&n1, message(7, 5, None, "five")).await,
        "it is stored once"
    );
    assert_eq!(
        store(&n1, message(7, 4, None, "four")).await,
        Ok(StoreOutcome::Late)
    );
    let attached = try_resume(&n1, token(1)).await.unwrap();
    assert_eq!(attached.offline_queue, ["five"]);
    assert_eq!(attached.snapshot, Some(ranges(3, &[(1, 3)])));
}

async fn a_resume_asks_the_node_that_still_owns_the_session_and_waits_for_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let bob = key("bob");
    let resuming = n2.broker.attach(&bob, resume(token(1), PATIENCE));
    let detaching = async {
        let question = NodeMessage::DetachRequest {
            key: key("bob"),
            session: session_id(1),
        };
        let asked = question.encode();
        until("n1 is asked", PATIENCE, || {
            n1.seen
                .node_messages
                .lock()
                .iter()
                .any(|message| *message == asked)
        })
        .await;
        n1.broker
            .detach(&key("bob"), session_id(1), 0, keep(ranges(3, &[(1, 3)])));
    };
    let (attached, ()) = tokio::join!(resuming, detaching);
    let attached = attached.unwrap();
    assert_eq!(attached.snapshot, Some(ranges(3, &[(1, 3)])));
    assert_eq!(attached.previous, None, "it has detached");
}

async fn a_resume_takes_over_from_a_node_that_does_not_answer(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let first = n1.attach("bob", 1).await;
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!(attached.snapshot, None, "its node wrote no snapshot");
    assert!(attached.fence > first.fence);
    assert_eq!(
        attached.previous.map(|previous| previous.node),
        Some(n1.id.clone())
    );
}

async fn a_probing_claim_is_refused_once_the_owner_was_touched(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let bob = key("bob");
    let probing = Claim {
        if_held: ConflictPolicy::ProbeThenReject(PATIENCE),
        ..claim(2)
    };
    let claiming = n2.broker.attach(&bob, probing);
    let answering = async {
        let question = NodeMessage::Probe {
            key: key("bob"),
            session: session_id(1),
        };
        let asked = question.encode();
        until("n1 is asked", PATIENCE, || {
            n1.seen
                .node_messages
                .lock()
                .iter()
                .any(|message| *message == asked)
        })
        .await;
        n1.broker.touch(&key("bob"), session_id(1));
    };
    let (refused, ()) = tokio::join!(claiming, answering);
    assert_eq!(refused, Err(BrokerError::InUse));
    assert_eq!(
        n2.locate("bob").await,
        Ok(Presence::Attached { node: n1.id.clone() })
    );
}

async fn a_probing_claim_takes_over_from_a_silent_owner(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let probing = Claim {
        if_held: ConflictPolicy::ProbeThenReject(Duration::from_millis(50)),
        ..claim(2)
    };
    let attached = n2.broker.attach(&key("bob"), probing).await.unwrap();
    assert_eq!(
        attached.previous.map(|previous| previous.session),
        Some(session_id(1))
    );
}

async fn only_the_owner_touches_its_record(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let bob = key("bob");
    let probing = Claim {
        if_held: ConflictPolicy::ProbeThenReject(Duration::from_millis(100)),
        ..claim(2)
    };
    let claiming = n2.broker.attach(&bob, probing);
    let touching = async {
        until("n1 is asked", PATIENCE, || {
            !n1.seen.node_messages.lock().is_empty()
        })
        .await;
        n1.broker.touch(&bob, session_id(3));
        n2.broker.touch(&bob, session_id(1));
    };
    let (claimed, ()) = tokio::join!(claiming, touching);
    assert!(claimed.unwrap().confirmed, "the owner itself was silent");
}

async fn a_detach_of_an_earlier_claim_of_the_same_session_changes_nothing(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let first = node.attach("bob", 1).await.fence;
    let second = try_resume(&node, token(1)).await.unwrap().fence;
    assert!(second > first);
    let here = Ok(Presence::Attached {
        node: node.id.clone(),
    });
    for retention in [None, keep(SessionSnapshot::default())] {
        node.broker.detach(&key("bob"), session_id(1), first, retention);
        assert_eq!(node.locate("bob").await, here);
    }
    node.broker.detach(&key("bob"), session_id(1), second, None);
    assert_eq!(node.locate("bob").await, Ok(Presence::Offline));
}
