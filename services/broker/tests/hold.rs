//! Every backend holds messages for a peer without a session: for its next claim, with any session, each until its
//! own end, and no more than a tenant may hold. Each test runs on the memory bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{
    Cluster, Node, PATIENCE, WINDOW, detached, key, session_id, stored, token, try_resume, until,
    until_presence,
};
use switchboard_core::{
    BrokerError, Hold, OFFLINE_QUEUE_MESSAGES_PER_SENDER, Presence, Retention, STORED_OVERHEAD_BYTES,
    SessionSnapshot, StoreOutcome, StoredMessage,
};
use switchboard_protocol::{MessageId, Mid};

contract!(
    a_held_message_waits_without_a_session_and_the_next_claim_on_any_node_takes_it,
    a_held_message_is_stored_once_and_in_order,
    each_message_ends_at_its_own_time,
    a_held_message_outlives_the_session_and_another_does_not,
    a_claim_keeps_what_it_has_not_delivered,
    a_receiver_is_woken_at_most_once_a_second_and_only_for_news,
    a_sender_holds_no_more_than_its_share_for_one_receiver,
    a_tenant_holds_no_more_than_it_may_on_all_nodes_together,
    a_message_that_ends_with_the_session_is_not_charged_as_held,
);

const LONG: Duration = Duration::from_secs(30);

/// Ends within a test; long enough for the commands before.
const SHORT: Duration = Duration::from_millis(400);

/// A message to bob.
fn held(sender: u8, id: u64, prev: Option<u64>, time: Duration) -> StoredMessage {
    let mid = Mid {
        session: session_id(sender),
        id: MessageId::Client(id),
    };
    let tenant_bytes = 0;
    StoredMessage {
        from: key(&format!("sender{sender}")),
        prev,
        hold: (!time.is_zero()).then_some(Hold { time, tenant_bytes }),
        envelope: format!("{sender}-{id}").into(),
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

/// Whether it is queued for about that long.
async fn is_queued(node: &Node, message: StoredMessage, time: Duration) -> bool {
    matches!(store(node, message).await, Ok(StoreOutcome::Queued { kept_for, .. }) if kept_for <= time && kept_for > time / 2)
}

/// Whether it is queued, and its receiver is to be woken up.
async fn wakes(node: &Node, message: StoredMessage) -> bool {
    let outcome = store(node, message).await.unwrap();
    assert!(matches!(outcome, StoreOutcome::Queued { .. }), "{outcome:?}");
    matches!(outcome, StoreOutcome::Queued { wakes: true, .. })
}

async fn a_held_message_waits_without_a_session_and_the_next_claim_on_any_node_takes_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let offline = Ok(StoreOutcome::Offline);
    assert_eq!(store(&n1, held(7, 1, None, Duration::ZERO)).await, offline);
    assert!(is_queued(&n1, held(7, 1, None, LONG), LONG).await);
    assert_eq!(n1.locate("bob").await, Ok(Presence::Offline));
    let without = held(7, 2, Some(1), Duration::ZERO);
    assert_eq!(store(&n1, without).await, offline, "a held message is no session");
    let claimed = n2.attach("bob", 1).await;
    assert_eq!(claimed.offline_queue, ["7-1"]);
    assert_eq!((claimed.previous, claimed.snapshot), (None, None));
    assert!(claimed.fence > 0);
    n2.broker.remove_stored(&key("bob"), session_id(1), 1, 3);
    n2.broker.detach(&key("bob"), session_id(1), 0, None);
    until_presence(&n2, "bob", &Presence::Offline).await;
    assert_eq!(n1.attach("bob", 2).await.offline_queue, [""; 0]);
}

async fn a_held_message_is_stored_once_and_in_order(cluster: Cluster) {
    let node = cluster.node("n1").await;
    assert_eq!(
        store(&node, held(7, 2, Some(1), LONG)).await,
        Ok(StoreOutcome::Gap)
    );
    assert!(is_queued(&node, held(7, 1, None, LONG), LONG).await);
    assert!(is_queued(&node, held(7, 1, None, LONG), LONG).await, "repeated");
    assert!(is_queued(&node, held(7, 3, Some(1), LONG), LONG).await);
    assert_eq!(
        store(&node, held(7, 2, Some(1), LONG)).await,
        Ok(StoreOutcome::Late)
    );
    assert_eq!(node.attach("bob", 1).await.offline_queue, ["7-1", "7-3"]);
    assert_eq!(
        store(&node, held(7, 4, Some(3), LONG)).await,
        Ok(StoreOutcome::Attached)
    );
}

async fn each_message_ends_at_its_own_time(cluster: Cluster) {
    let node = cluster.node("n1").await;
    assert!(is_queued(&node, held(7, 1, None, LONG), LONG).await);
    assert!(is_queued(&node, held(8, 1, None, SHORT), SHORT).await);
    assert!(is_queued(&node, held(9, 1, None, LONG), LONG).await);
    // The time is the subject.
    tokio::time::sleep(SHORT * 2).await;
    let claimed = node.attach("bob", 1).await;
    assert_eq!(claimed.offline_queue, ["7-1", "9-1"]);
}

async fn a_held_message_outlives_the_session_and_another_does_not(cluster: Cluster) {
    let node = cluster.node("n1").await;
    node.attach("bob", 1).await;
    let retention = Retention {
        snapshot: Some(SessionSnapshot::default()),
        window: SHORT,
    };
    node.broker.detach(&key("bob"), session_id(1), 0, Some(retention));
    assert!(is_queued(&node, held(7, 1, None, Duration::ZERO), SHORT).await);
    assert!(is_queued(&node, held(8, 1, None, LONG), LONG).await);
    until("the session ended", PATIENCE, || {
        *node.seen.ended.lock() == [(key("bob"), session_id(1))]
    })
    .await;
    until_presence(&node, "bob", &Presence::Offline).await;
    assert_eq!(
        try_resume(&node, token(1)).await.err(),
        Some(BrokerError::NotResumable)
    );
    assert!(
        is_queued(&node, held(8, 1, None, LONG), LONG).await,
        "it is there already"
    );
    assert_eq!(node.attach("bob", 2).await.offline_queue, ["8-1"]);
}

async fn a_claim_keeps_what_it_has_not_delivered(cluster: Cluster) {
    let node = cluster.node("n1").await;
    assert!(is_queued(&node, held(7, 1, None, SHORT), SHORT).await);
    assert_eq!(node.attach("bob", 1).await.offline_queue, ["7-1"]);
    // Longer than it was held for.
    tokio::time::sleep(SHORT * 2).await;
    node.broker.read_offline_queue(&key("bob"), session_id(1));
    until("the message came again", PATIENCE, || {
        *node.seen.offline_queues.lock() == [["7-1"]]
    })
    .await;
}

async fn a_receiver_is_woken_at_most_once_a_second_and_only_for_news(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    assert!(wakes(&n1, held(7, 1, None, LONG)).await);
    assert!(!wakes(&n2, held(8, 1, None, LONG)).await, "within the second");
    // The second is the subject.
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let again = StoredMessage {
        is_first: false,
        ..held(7, 1, None, LONG)
    };
    assert!(!wakes(&n1, again).await, "transmitted again");
    assert!(wakes(&n2, held(8, 1, None, LONG)).await, "repeated by its client");
    detached_eve(&n1).await;
    let to_eve = StoredMessage {
        to: key("eve"),
        ..held(7, 2, None, Duration::ZERO)
    };
    assert!(wakes(&n1, to_eve).await, "a detached peer, too");
}

async fn detached_eve(node: &Node) {
    node.attach("eve", 3).await;
    node.broker.detach(
        &key("eve"),
        session_id(3),
        0,
        common::keep(SessionSnapshot::default()),
    );
}

async fn a_sender_holds_no_more_than_its_share_for_one_receiver(cluster: Cluster) {
    let node = cluster.node("n1").await;
    for id in 1..=OFFLINE_QUEUE_MESSAGES_PER_SENDER as u64 {
        let prev = (id > 1).then(|| id - 1);
        assert!(is_queued(&node, held(7, id, prev, LONG), LONG).await);
    }
    let next = OFFLINE_QUEUE_MESSAGES_PER_SENDER as u64 + 1;
    let full = store(&node, held(7, next, Some(next - 1), LONG)).await;
    assert_eq!(full, Ok(StoreOutcome::Full));
    assert!(
        is_queued(&node, held(8, 1, None, LONG), LONG).await,
        "another sender"
    );
}

async fn a_tenant_holds_no_more_than_it_may_on_all_nodes_together(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    // Room for two messages.
    let tenant_bytes = 2 * (STORED_OVERHEAD_BYTES + 3) + 10;
    let bounded = |sender, to: &str| {
        let message = held(sender, 1, None, LONG);
        let hold = message.hold.map(|hold| Hold { tenant_bytes, ..hold });
        let to = key(to);
        StoredMessage { to, hold, ..message }
    };
    assert!(is_queued(&n1, bounded(7, "bob"), LONG).await);
    assert!(
        is_queued(&n1, bounded(7, "bob"), LONG).await,
        "repeated: charged once"
    );
    assert!(is_queued(&n2, bounded(8, "eve"), LONG).await);
    let full = Ok(StoreOutcome::TenantFull);
    assert_eq!(store(&n1, bounded(9, "bob")).await, full);
    assert_eq!(store(&n2, bounded(9, "carol")).await, full);
    let mut foreign = bounded(9, "bob");
    foreign.from = switchboard_protocol::PeerKey::parse("other/sender").unwrap();
    foreign.to = switchboard_protocol::PeerKey::parse("other/bob").unwrap();
    assert!(is_queued(&n1, foreign, LONG).await, "another tenant has its own");
}

async fn a_message_that_ends_with_the_session_is_not_charged_as_held(cluster: Cluster) {
    let node = cluster.node("n1").await;
    detached(&node, SessionSnapshot::default()).await;
    let tenant_bytes = 1;
    let hold = Some(Hold {
        time: WINDOW / 2,
        tenant_bytes,
    });
    let message = StoredMessage {
        hold,
        ..held(7, 1, None, LONG)
    };
    assert!(is_queued(&node, message, WINDOW).await);
}
