//! Every backend keeps a session that outlives its connection: it is resumed elsewhere, and its owner is asked first.
//! Each test runs on the memory bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{
    Cluster, Node, PATIENCE, claim, detached, keep, key, ranges, resume, session_id, token, try_resume,
    until, until_presence,
};
use switchboard_core::{BrokerError, Claim, ConflictPolicy, Presence, Retention, SessionSnapshot, Unacked};
use switchboard_protocol::{NodeMessage, ResumeToken};

contract!(
    a_detached_session_is_resumed_elsewhere_with_its_snapshot,
    a_session_is_not_resumed_with_another_secret_or_after_another_took_the_peer,
    a_session_is_not_resumed_after_its_window,
    a_session_that_was_ended_is_offline_and_cannot_be_resumed,
    a_session_whose_node_shut_down_is_resumed_without_a_snapshot,
    a_resume_asks_the_node_that_still_owns_the_session_and_waits_for_it,
    a_resume_takes_over_from_a_node_that_does_not_answer,
    a_probing_claim_is_refused_once_the_owner_was_touched,
    a_probing_claim_takes_over_from_a_silent_owner,
    only_the_owner_touches_its_record,
    a_detach_of_an_earlier_claim_of_the_same_session_changes_nothing,
);

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
    until_presence(&node, "bob", &Presence::Offline).await;
    assert_eq!(try_resume(&node, token(1)).await, Err(BrokerError::NotResumable));
}

async fn a_session_that_was_ended_is_offline_and_cannot_be_resumed(cluster: Cluster) {
    let node = cluster.node("n1").await;
    node.attach("bob", 1).await;
    node.broker.detach(&key("bob"), session_id(1), 0, None);
    assert_eq!(node.locate("bob").await, Ok(Presence::Offline));
    assert_eq!(try_resume(&node, token(1)).await, Err(BrokerError::NotResumable));
}

async fn a_session_whose_node_shut_down_is_resumed_without_a_snapshot(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n1.broker.shutdown().await;
    let attached = try_resume(&n2, token(1)).await.unwrap();
    assert_eq!((attached.snapshot, attached.previous), (None, None));
}

/// Waits until `node` has received `question`.
async fn receives(node: &Node, question: &NodeMessage) {
    let asked = question.encode();
    until("the owner's node is asked", PATIENCE, || {
        let messages = node.seen.node_messages.lock();
        messages.iter().any(|message| *message == asked)
    })
    .await;
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
        receives(&n1, &question).await;
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
        on_conflict: ConflictPolicy::ProbeThenReject(PATIENCE),
        ..claim(2)
    };
    let claiming = n2.broker.attach(&bob, probing);
    let answering = async {
        let question = NodeMessage::Probe {
            key: key("bob"),
            session: session_id(1),
        };
        receives(&n1, &question).await;
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
        on_conflict: ConflictPolicy::ProbeThenReject(Duration::from_millis(50)),
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
        on_conflict: ConflictPolicy::ProbeThenReject(Duration::from_millis(100)),
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
