//! Every backend stores messages for a peer that is not connected: in order, bounded, once, for its owner alone. Each
//! test runs on the memory bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{
    Cluster, Node, PATIENCE, WINDOW, detached, keep, key, ranges, session_id, stored, token, try_resume,
    until, until_presence,
};
use switchboard_core::{
    BrokerError, OFFLINE_QUEUE_BYTES, OFFLINE_QUEUE_BYTES_PER_SENDER, OFFLINE_QUEUE_MESSAGES,
    OFFLINE_QUEUE_MESSAGES_PER_SENDER, Presence, Retention, SessionSnapshot, StoreOutcome, StoredMessage,
};
use switchboard_protocol::{MessageId, Mid, NodeMessage};

contract!(
    a_peer_without_a_session_has_no_offline_queue,
    stored_messages_keep_their_order_and_stay_until_they_are_removed,
    a_message_is_stored_once_and_only_after_the_one_before_it,
    a_message_that_was_done_before_the_detach_is_delivered,
    a_message_that_was_skipped_is_late_even_with_the_largest_ids,
    an_offline_queue_is_bounded_in_messages,
    a_sender_fills_no_more_than_its_share_and_a_call_of_another_one_is_queued,
    an_offline_queue_is_bounded_in_bytes_and_its_first_message_may_be_larger,
    removed_messages_make_room_again,
    only_the_owner_reads_and_removes_stored_messages,
    an_unknown_message_behind_a_gap_is_not_stored,
    an_attached_peer_gets_only_urgent_messages_and_a_hint_with_them,
    messages_stored_before_the_detach_are_still_known_after_it,
);

fn message(sender: u8, id: u64, prev: Option<u64>, envelope: &str) -> StoredMessage {
    let mid = Mid {
        session: session_id(sender),
        id: MessageId::Client(id),
    };
    StoredMessage {
        from: key(&format!("sender{sender}")),
        prev,
        is_first: false,
        envelope: envelope.into(),
        ..stored("bob", mid)
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
    matches!(store(node, message).await, Ok(StoreOutcome::Queued { kept_for, .. }) if kept_for <= WINDOW && kept_for > WINDOW / 2)
}

async fn a_peer_without_a_session_has_no_offline_queue(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let offline = Ok(StoreOutcome::Offline);
    assert_eq!(store(&node, message(7, 1, None, "x")).await, offline);
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, None);
    assert_eq!(store(&node, message(7, 1, None, "x")).await, offline, "ended");
    node.attach("bob", 2).await;
    let retention = Retention {
        snapshot: Some(SessionSnapshot::default()),
        window: Duration::from_millis(50),
    };
    node.broker.detach(&key("bob"), session_id(2), 0, Some(retention));
    until_presence(&node, "bob", &Presence::Offline).await;
    assert_eq!(
        store(&node, message(7, 1, None, "x")).await,
        offline,
        "after its window"
    );
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

/// Stores small messages of one sender, from `first` on, until its queue or its share is full; how many there were.
async fn fill(node: &Node, sender: u8) -> u64 {
    let mut stored = 0;
    loop {
        let prev = (stored > 0).then_some(stored);
        let outcome = store(node, message(sender, stored + 1, prev, "x")).await;
        if outcome == Ok(StoreOutcome::Full) {
            return stored;
        }
        assert!(matches!(outcome, Ok(StoreOutcome::Queued { .. })), "{outcome:?}");
        stored += 1;
        assert!(stored < 10_000, "the queue has no bound");
    }
}

async fn an_offline_queue_is_bounded_in_messages(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    let mut stored = 0;
    for sender in 10..20 {
        stored += fill(&node, sender).await;
    }
    assert_eq!(stored, OFFLINE_QUEUE_MESSAGES as u64);
    assert_eq!(
        try_resume(&node, token(1)).await.unwrap().offline_queue.len(),
        OFFLINE_QUEUE_MESSAGES
    );
}

async fn a_sender_fills_no_more_than_its_share_and_a_call_of_another_one_is_queued(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    assert_eq!(fill(&node, 7).await, OFFLINE_QUEUE_MESSAGES_PER_SENDER as u64);
    // Another session of the same peer has the same share.
    let again = StoredMessage {
        from: key("sender7"),
        ..message(8, 1, None, "x")
    };
    assert_eq!(store(&node, again).await, Ok(StoreOutcome::Full));
    assert!(is_queued(&node, message(9, 1, None, "a call")).await);
    let sized = |id, prev, bytes: usize| StoredMessage {
        envelope: vec![b'x'; bytes],
        ..message(10, id, prev, "")
    };
    assert!(is_queued(&node, sized(1, None, OFFLINE_QUEUE_BYTES_PER_SENDER - 10)).await);
    assert_eq!(store(&node, sized(2, Some(1), 11)).await, Ok(StoreOutcome::Full));
    assert!(is_queued(&node, sized(2, Some(1), 10)).await, "exactly its share");
    let stored = try_resume(&node, token(1)).await.unwrap().offline_queue;
    let bytes = stored.iter().map(|message| message.len()).sum();
    node.broker
        .remove_stored(&key("bob"), session_id(1), stored.len(), bytes);
    node.broker
        .detach(&key("bob"), session_id(1), 0, keep(SessionSnapshot::default()));
    assert!(
        is_queued(&node, message(7, 100, None, "x")).await,
        "its share is whole again"
    );
}

async fn an_offline_queue_is_bounded_in_bytes_and_its_first_message_may_be_larger(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let sized = |sender, bytes: usize| StoredMessage {
        envelope: vec![b'x'; bytes],
        ..message(sender, 1, None, "")
    };
    detached(&node, SessionSnapshot::default()).await;
    assert!(is_queued(&node, sized(10, OFFLINE_QUEUE_BYTES - 10)).await);
    let full = Ok(StoreOutcome::Full);
    assert_eq!(store(&node, sized(11, 11)).await, full, "one byte too many");
    assert!(is_queued(&node, sized(11, 10)).await, "exactly full");
    assert_eq!(store(&node, sized(12, 1)).await, full);
    let messages = try_resume(&node, token(1)).await.unwrap().offline_queue;
    assert_eq!(messages.len(), 2);
    node.broker
        .remove_stored(&key("bob"), session_id(1), 2, OFFLINE_QUEUE_BYTES);
    node.broker
        .detach(&key("bob"), session_id(1), 0, keep(SessionSnapshot::default()));
    assert!(is_queued(&node, sized(13, OFFLINE_QUEUE_BYTES + 1)).await);
    assert_eq!(store(&node, sized(14, 1)).await, full);
}

async fn removed_messages_make_room_again(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let half = |sender| StoredMessage {
        envelope: vec![b'x'; OFFLINE_QUEUE_BYTES / 2],
        ..message(sender, 1, None, "")
    };
    detached(&node, SessionSnapshot::default()).await;
    assert!(is_queued(&node, half(7)).await);
    assert!(is_queued(&node, half(8)).await);
    assert_eq!(store(&node, half(10)).await, Ok(StoreOutcome::Full));
    try_resume(&node, token(1)).await.unwrap();
    node.broker
        .remove_stored(&key("bob"), session_id(1), 1, OFFLINE_QUEUE_BYTES / 2);
    let done = ranges(1, &[(1, 1)]);
    node.broker.detach(&key("bob"), session_id(1), 0, keep(done));
    assert!(is_queued(&node, half(11)).await, "it has room for one more");
    assert_eq!(store(&node, half(12)).await, Ok(StoreOutcome::Full));
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
