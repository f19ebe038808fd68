//! What every backend owes a session that outlives its connection: kept, resumed, its mailbox filled and
//! emptied, its holder asked. Each test runs on the memory bus and on a real Redis.

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
    AcceptedRanges, BrokerError, Claim, ClaimOutcome, ConflictPolicy, Presence, Retention, SessionSnapshot,
    StoreOutcome, StoredMessage, Unacked,
};
use switchboard_protocol::{MessageId, Mid, NodeMessage, ResumeToken};

contract!(
    a_detached_session_goes_on_elsewhere_with_what_was_kept,
    a_session_is_not_resumed_with_another_secret_nor_after_another_took_its_place,
    a_session_is_not_resumed_after_its_window,
    a_session_that_was_ended_is_offline_and_cannot_be_resumed,
    a_session_whose_node_shut_down_is_resumed_though_nobody_knows_how_far_it_had_got,
    letters_wait_in_order_and_go_only_when_they_are_done,
    a_letter_is_left_once_and_only_after_the_one_before_it,
    a_letter_that_was_done_before_the_detach_is_called_delivered,
    a_letter_that_was_skipped_is_late_even_with_the_largest_ids,
    a_mailbox_is_bounded,
    an_attached_peer_gets_letters_only_when_they_are_urgent_and_a_hint_with_them,
    letters_left_before_the_detach_are_still_known_after_it,
    a_resume_asks_the_node_that_still_holds_the_session_and_waits_for_it,
    a_resume_takes_over_from_a_node_that_does_not_answer,
    a_wary_claim_is_refused_once_the_holder_was_heard,
    a_wary_claim_takes_over_from_a_silent_holder,
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
        on_conflict: ConflictPolicy::DetachThenTakeOver(within),
        window: WINDOW,
    }
}

async fn try_resume(node: &Node, token: ResumeToken) -> Result<ClaimOutcome, BrokerError> {
    node.broker
        .attach(&key("bob"), resume(token, Duration::ZERO))
        .await
}

fn letter(sender: u8, id: u64, prev: Option<u64>, envelope: &str) -> StoredMessage {
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

async fn leave(node: &Node, letter: StoredMessage) -> Result<StoreOutcome, BrokerError> {
    let before = node.seen.left.lock().len();
    node.broker.store(letter).unwrap();
    until("an answer came", PATIENCE, || {
        node.seen.left.lock().len() > before
    })
    .await;
    node.seen.left.lock()[before].1
}

/// Whether it was queued; for how long is looked at elsewhere.
async fn is_queued(node: &Node, letter: StoredMessage) -> bool {
    matches!(leave(node, letter).await, Ok(StoreOutcome::Queued(kept)) if kept <= WINDOW && kept > WINDOW / 2)
}

async fn detached(node: &Node, saved: SessionSnapshot) {
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, keep(saved));
    // Commands of one node are carried out in order.
    assert_eq!(node.locate("bob").await, Ok(Presence::Detached));
}

fn marks(done: u64, runs: &[(u64, u64)]) -> SessionSnapshot {
    let marks = AcceptedRanges {
        done,
        ranges: runs.to_vec(),
    };
    SessionSnapshot {
        accepted: vec![(session_id(7), marks)],
        ..SessionSnapshot::default()
    }
}

async fn a_detached_session_goes_on_elsewhere_with_what_was_kept(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let saved = SessionSnapshot {
        last_seq: 12,
        tail: vec![Unacked {
            seq: 12,
            sender: session_id(7),
            id: 9,
        }],
        ..marks(8, &[(1, 2), (5, 8)])
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
    until("n2 heard it", PATIENCE, || n2.heard(b"again") == 1).await;
}

async fn a_session_is_not_resumed_with_another_secret_nor_after_another_took_its_place(cluster: Cluster) {
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
        assert!(std::time::Instant::now() < end, "the session was kept for ever");
    }
    assert_eq!(
        leave(&node, letter(7, 1, None, "x")).await,
        Ok(StoreOutcome::Offline)
    );
    assert_eq!(try_resume(&node, token(1)).await, Err(BrokerError::NotResumable));
}

async fn a_session_that_was_ended_is_offline_and_cannot_be_resumed(cluster: Cluster) {
    let node = cluster.node("n1").await;
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, None);
    assert_eq!(
        leave(&node, letter(7, 1, None, "x")).await,
        Ok(StoreOutcome::Offline)
    );
    assert_eq!(try_resume(&node, token(1)).await, Err(BrokerError::NotResumable));
}

async fn a_session_whose_node_shut_down_is_resumed_though_nobody_knows_how_far_it_had_got(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n1.broker.shutdown().await;
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!((attached.snapshot, attached.previous), (None, None));
}

async fn letters_wait_in_order_and_go_only_when_they_are_done(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    detached(&n1, SessionSnapshot::default()).await;
    assert!(is_queued(&n2, letter(7, 1, None, "one")).await);
    assert!(is_queued(&n2, letter(8, 1, None, "two")).await);
    assert!(is_queued(&n1, letter(7, 2, Some(1), "three")).await);
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!(attached.offline_queue, ["one", "two", "three"]);
    n2.broker.remove_stored(&key("bob"), session_id(1), 2, 6);
    n2.broker.read_offline_queue(&key("bob"), session_id(1));
    until("the mail came", PATIENCE, || !n2.seen.mail.lock().is_empty()).await;
    assert_eq!(n2.seen.mail.lock()[0], ["three"]);
    n2.broker
        .detach(&key("bob"), session_id(1), 0, keep(SessionSnapshot::default()));
    n2.locate("bob").await.unwrap();
    let attached = try_resume(&n1, token(1)).await.unwrap();
    assert_eq!(
        attached.offline_queue,
        ["three"],
        "what was not done is found again"
    );
}

async fn a_letter_is_left_once_and_only_after_the_one_before_it(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    assert_eq!(
        leave(&node, letter(7, 2, Some(1), "two")).await,
        Ok(StoreOutcome::Gap)
    );
    assert!(is_queued(&node, letter(7, 1, None, "one")).await);
    assert!(is_queued(&node, letter(7, 1, None, "one")).await, "repeated");
    assert!(is_queued(&node, letter(7, 2, Some(1), "two")).await);
    assert_eq!(
        try_resume(&node, token(1)).await.unwrap().offline_queue,
        ["one", "two"]
    );
}

async fn a_letter_that_was_done_before_the_detach_is_called_delivered(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, marks(4, &[(1, 4)])).await;
    assert_eq!(
        leave(&node, letter(7, 4, None, "old")).await,
        Ok(StoreOutcome::Delivered)
    );
    assert!(is_queued(&node, letter(7, 5, Some(4), "new")).await);
    assert_eq!(try_resume(&node, token(1)).await.unwrap().offline_queue, ["new"]);
}

async fn a_letter_that_was_skipped_is_late_even_with_the_largest_ids(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let high = u64::MAX - 3;
    detached(&node, marks(high + 2, &[(high, high), (high + 2, high + 2)])).await;
    assert_eq!(
        leave(&node, letter(7, high + 1, None, "x")).await,
        Ok(StoreOutcome::Late)
    );
    assert_eq!(
        leave(&node, letter(7, high, None, "x")).await,
        Ok(StoreOutcome::Delivered)
    );
    assert!(is_queued(&node, letter(7, high + 3, None, "x")).await);
}

async fn a_mailbox_is_bounded(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    let mut left = 0;
    loop {
        let prev = (left > 0).then_some(left);
        let outcome = leave(&node, letter(7, left + 1, prev, "x")).await;
        if outcome == Ok(StoreOutcome::Full) {
            break;
        }
        assert!(matches!(outcome, Ok(StoreOutcome::Queued(_))), "{outcome:?}");
        left += 1;
        assert!(left < 10_000, "the mailbox has no bound");
    }
    assert_eq!(left, 256);
    assert_eq!(
        try_resume(&node, token(1)).await.unwrap().offline_queue.len(),
        256
    );
}

async fn an_attached_peer_gets_letters_only_when_they_are_urgent_and_a_hint_with_them(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    assert_eq!(
        leave(&n1, letter(7, 1, None, "one")).await,
        Ok(StoreOutcome::Attached)
    );
    let urgent = StoredMessage {
        is_urgent: true,
        ..letter(7, 1, None, "one")
    };
    assert!(is_queued(&n1, urgent).await);
    let hint = NodeMessage::OfflineQueueHint { key: key("bob") }.encode();
    until("n2 got the hint", PATIENCE, || {
        n2.seen.inbox.lock().iter().any(|message| *message == hint)
    })
    .await;
    n2.broker.read_offline_queue(&key("bob"), session_id(1));
    until("n2 found the letter", PATIENCE, || {
        *n2.seen.mail.lock() == [["one"]]
    })
    .await;
}

async fn letters_left_before_the_detach_are_still_known_after_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    let urgent = StoredMessage {
        is_urgent: true,
        ..letter(7, 5, None, "five")
    };
    assert!(is_queued(&n1, urgent).await);
    n2.broker
        .detach(&key("bob"), session_id(1), 0, keep(marks(3, &[(1, 3)])));
    n2.locate("bob").await.unwrap();
    assert!(
        is_queued(&n1, letter(7, 5, None, "five")).await,
        "it lies there once"
    );
    assert_eq!(
        leave(&n1, letter(7, 4, None, "four")).await,
        Ok(StoreOutcome::Late)
    );
    let attached = try_resume(&n1, token(1)).await.unwrap();
    assert_eq!(attached.offline_queue, ["five"]);
    assert_eq!(attached.snapshot, Some(marks(3, &[(1, 3)])));
}

async fn a_resume_asks_the_node_that_still_holds_the_session_and_waits_for_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let bob = key("bob");
    let resuming = n2.broker.attach(&bob, resume(token(1), PATIENCE));
    let yielding = async {
        let question = NodeMessage::DetachRequest {
            key: key("bob"),
            session: session_id(1),
        };
        let asked = question.encode();
        until("n1 is asked", PATIENCE, || {
            n1.seen.inbox.lock().iter().any(|message| *message == asked)
        })
        .await;
        n1.broker
            .detach(&key("bob"), session_id(1), 0, keep(marks(3, &[(1, 3)])));
    };
    let (attached, ()) = tokio::join!(resuming, yielding);
    let attached = attached.unwrap();
    assert_eq!(attached.snapshot, Some(marks(3, &[(1, 3)])));
    assert_eq!(attached.previous, None, "there is nobody left to be told");
}

async fn a_resume_takes_over_from_a_node_that_does_not_answer(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let first = n1.attach("bob", 1).await;
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!(attached.snapshot, None, "nobody could say how far it had got");
    assert!(attached.fence > first.fence);
    assert_eq!(
        attached.previous.map(|previous| previous.node),
        Some(n1.id.clone())
    );
}

async fn a_wary_claim_is_refused_once_the_holder_was_heard(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let bob = key("bob");
    let wary = Claim {
        on_conflict: ConflictPolicy::ProbeThenReject(PATIENCE),
        ..claim(2)
    };
    let claiming = n2.broker.attach(&bob, wary);
    let answering = async {
        let question = NodeMessage::Probe {
            key: key("bob"),
            session: session_id(1),
        };
        let asked = question.encode();
        until("n1 is asked", PATIENCE, || {
            n1.seen.inbox.lock().iter().any(|message| *message == asked)
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

async fn a_wary_claim_takes_over_from_a_silent_holder(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let wary = Claim {
        on_conflict: ConflictPolicy::ProbeThenReject(Duration::from_millis(50)),
        ..claim(2)
    };
    let attached = n2.broker.attach(&key("bob"), wary).await.unwrap();
    assert_eq!(
        attached.previous.map(|previous| previous.session),
        Some(session_id(1))
    );
}
