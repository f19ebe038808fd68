//! Every backend tells the nodes that watch a peer what becomes of it, and one node when a session ends. Each test runs on
//! the memory bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{Cluster, Node, PATIENCE, claim, detached, keep, key, session_id, token, try_resume, until};
use switchboard_core::{Asker, Claim, Presence, Retention, SessionSnapshot};
use switchboard_protocol::PresenceState::{self, Detached, Offline, Online};

contract!(
    a_watching_node_learns_each_change_of_another_node_in_order,
    a_node_that_watches_no_more_learns_nothing,
    fences_of_changes_only_grow,
    peers_of_another_name_or_tenant_are_not_received,
    a_detached_session_ends_with_its_window_and_one_node_is_informed,
    a_session_that_was_resumed_does_not_end_with_its_first_window,
    a_session_that_its_client_ended_is_not_ended_again,
    a_peer_is_located_with_the_fence_and_the_age_of_its_claim,
);

/// Watches bob and waits until the changes are received.
async fn watch(node: &Node) {
    if !node.broker.watch(&key("bob")) {
        until("bob is watched", PATIENCE, || {
            node.seen.watching.lock().contains(&"acme/bob".to_owned())
        })
        .await;
    }
}

fn states(node: &Node) -> Vec<PresenceState> {
    let changes = node.seen.changes.lock();
    changes.iter().map(|(_, _, state)| *state).collect()
}

async fn until_states(node: &Node, wanted: &[PresenceState]) {
    until(&format!("{} received {wanted:?}", node.id), PATIENCE, || {
        states(node) == wanted
    })
    .await;
}

fn keep_for(window: Duration) -> Option<Retention> {
    let snapshot = None;
    Some(Retention { snapshot, window })
}

async fn a_watching_node_learns_each_change_of_another_node_in_order(cluster: Cluster) {
    let (n1, n2, n3) = (
        cluster.node("n1").await,
        cluster.node("n2").await,
        cluster.node("n3").await,
    );
    watch(&n1).await;
    watch(&n3).await;
    detached(&n2, SessionSnapshot::default()).await;
    until_states(&n1, &[Online, Detached]).await;
    try_resume(&n2, token(1)).await.unwrap();
    n2.broker.detach(&key("bob"), session_id(1), 0, None);
    for node in [&n1, &n3] {
        until_states(node, &[Online, Detached, Online, Offline]).await;
    }
    assert_eq!(states(&n2), [], "it does not watch");
}

async fn a_node_that_watches_no_more_learns_nothing(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    watch(&n1).await;
    n2.attach("bob", 1).await;
    until_states(&n1, &[Online]).await;
    n1.broker.unwatch(&key("bob"));
    until("nothing is subscribed", PATIENCE, || {
        n1.broker.status().confirmed == 0
    })
    .await;
    // A message that is published later comes after the change that must not come.
    n1.attach("alice", 2).await;
    n2.broker.detach(&key("bob"), session_id(1), 0, None);
    n2.publish("alice", b"after").await.unwrap();
    until("the message came", PATIENCE, || n1.received(b"after") == 1).await;
    assert_eq!(states(&n1), [Online]);
}

async fn fences_of_changes_only_grow(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    watch(&n1).await;
    for session in 1..5 {
        n2.attach("bob", session).await;
        let retention = (session % 2 == 0).then(|| keep(SessionSnapshot::default()));
        n2.broker
            .detach(&key("bob"), session_id(session), 0, retention.flatten());
    }
    until("all came", PATIENCE, || states(&n1).len() == 8).await;
    let changes = n1.seen.changes.lock();
    let fences: Vec<_> = changes.iter().map(|(_, fence, _)| *fence).collect();
    assert!(fences.is_sorted() && fences[0] > 0, "{fences:?}");
    assert!(
        fences[1] < fences[2],
        "a claim has a fence of its own: {fences:?}"
    );
}

async fn peers_of_another_name_or_tenant_are_not_received(cluster: Cluster) {
    let node = cluster.node("n1").await;
    watch(&node).await;
    node.attach("bo", 1).await;
    node.attach("bobby", 2).await;
    let foreign = switchboard_protocol::PeerKey::parse("other/bob").unwrap();
    node.broker.attach(&foreign, claim(3)).await.unwrap();
    node.attach("bob", 4).await;
    until_states(&node, &[Online]).await;
    assert_eq!(node.seen.changes.lock()[0].0, "acme/bob");
}

async fn a_detached_session_ends_with_its_window_and_one_node_is_informed(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    watch(&n1).await;
    n2.attach("bob", 1).await;
    let window = Duration::from_millis(200);
    n2.broker.detach(&key("bob"), session_id(1), 0, keep_for(window));
    until_states(&n1, &[Online, Detached, Offline]).await;
    let informed = || n1.seen.ended.lock().len() + n2.seen.ended.lock().len();
    until("a node was informed", PATIENCE, || informed() > 0).await;
    assert_eq!(informed(), 1);
    let ended = [&n1, &n2].map(|node| node.seen.ended.lock().clone()).concat();
    assert_eq!(ended, [(key("bob"), session_id(1))]);
    assert_eq!(n1.locate("bob").await, Ok(Presence::Offline));
}

async fn a_session_that_was_resumed_does_not_end_with_its_first_window(cluster: Cluster) {
    let node = cluster.node("n1").await;
    watch(&node).await;
    for peer in ["bob", "eve"] {
        node.attach(peer, 1).await;
        let window = Duration::from_millis(400);
        node.broker.detach(&key(peer), session_id(1), 0, keep_for(window));
    }
    try_resume(&node, token(1)).await.unwrap();
    // Eve's window is the same and nobody resumes her.
    until("a session ended", PATIENCE, || !node.seen.ended.lock().is_empty()).await;
    assert_eq!(*node.seen.ended.lock(), [(key("eve"), session_id(1))]);
    assert_eq!(states(&node), [Online, Detached, Online]);
}

async fn a_session_that_its_client_ended_is_not_ended_again(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let window = Duration::from_millis(400);
    for peer in ["bob", "eve"] {
        node.attach(peer, 1).await;
        node.broker.detach(&key(peer), session_id(1), 0, keep_for(window));
    }
    let claim = Claim {
        resume: true,
        ..claim(1)
    };
    node.broker.attach(&key("bob"), claim).await.unwrap();
    node.broker.detach(&key("bob"), session_id(1), 0, None);
    until("a session ended", PATIENCE, || !node.seen.ended.lock().is_empty()).await;
    let ended = node.seen.ended.lock();
    assert!(ended.iter().all(|(peer, _)| *peer == key("eve")), "{ended:?}");
}

async fn a_peer_is_located_with_the_fence_and_the_age_of_its_claim(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let claimed = n2.attach("bob", 1).await;
    let asker = Asker::Send(common::next_mid());
    n1.broker.locate(asker, &key("bob")).unwrap();
    until("an answer came", PATIENCE, || !n1.seen.located.lock().is_empty()).await;
    let located = n1.seen.located.lock()[0].1.clone().unwrap();
    assert_eq!(located.presence, Presence::Attached { node: n2.id.clone() });
    assert_eq!(located.fence, claimed.fence);
    assert!(located.claimed_for < PATIENCE, "{:?}", located.claimed_for);
}
