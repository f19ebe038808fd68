//! Revocations and kicks: every node hears of them, and what Redis loses is written again. Each test runs on the memory bus
//! and on a real Redis, unless it is about losses.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{Cluster, Node, PATIENCE, key, redis_node, session_id, until};
use switchboard_broker::{RedisBroker, RedisConfig};
use switchboard_core::{
    AttachRequest, Attachment, BusState, EndedSession, Limits, OnDisconnect, Outgoing, Presence,
    RevocationChange, Router,
};
use switchboard_protocol::{CloseCode, LeaveReason, NodeId, NodeMessage, Revocation};
use switchboard_telemetry::Telemetry;

contract!(
    every_node_hears_of_a_revocation_and_a_later_node_reads_it,
    a_revocation_replaces_an_earlier_one_of_the_same_peer,
    the_end_of_an_attached_session_is_asked_of_its_node_and_awaited,
    the_end_of_a_detached_session_leaves_nothing_to_resume,
    a_peer_without_a_session_has_nothing_to_end,
);

fn revocation(text: &str) -> Revocation {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Revocation::parse(text, now.as_secs() + 600).unwrap()
}

async fn revoke(node: &Node, revocation: &Revocation, replaces: Option<Revocation>) {
    let revocation = revocation.clone();
    let change = RevocationChange { revocation, replaces };
    node.broker.revoke(&change).await.unwrap();
}

async fn knows(node: &Node, revocation: &Revocation) {
    until("the node knows the revocation", PATIENCE, || {
        node.seen.revocations.lock().contains(revocation)
    })
    .await;
}

async fn every_node_hears_of_a_revocation_and_a_later_node_reads_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let by_id = revocation("t acme/token of alice/7");
    revoke(&n1, &by_id, None).await;
    knows(&n1, &by_id).await;
    knows(&n2, &by_id).await;
    let n3 = cluster.node("n3").await;
    knows(&n3, &by_id).await;
}

async fn a_revocation_replaces_an_earlier_one_of_the_same_peer(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let (first, second) = (revocation("p acme/alice 5"), revocation("p acme/alice 9"));
    revoke(&n1, &first, None).await;
    revoke(&n1, &second, Some(first.clone())).await;
    let n2 = cluster.node("n2").await;
    knows(&n2, &second).await;
    assert!(!n2.seen.revocations.lock().contains(&first));
}

async fn the_end_of_an_attached_session_is_asked_of_its_node_and_awaited(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    let peer = key("bob");
    let ending = n1.broker.end_session(&peer);
    let obeying = async {
        let kick = NodeMessage::Kick {
            key: key("bob"),
            session: session_id(1),
        };
        until("n2 is asked", PATIENCE, || {
            let messages = n2.seen.node_messages.lock();
            messages
                .iter()
                .any(|message| NodeMessage::decode(message) == Ok(kick.clone()))
        })
        .await;
        n2.broker.detach(&key("bob"), session_id(1), 0, None);
    };
    let (ended, ()) = tokio::join!(ending, obeying);
    assert_eq!(ended, Ok(Some(EndedSession::Attached)));
    assert_eq!(n1.locate("bob").await, Ok(Presence::Offline));
}

async fn the_end_of_a_detached_session_leaves_nothing_to_resume(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    common::detached(&n2, common::ranges(0, &[])).await;
    let ended = n1.broker.end_session(&key("bob")).await;
    let (session, rooms) = (session_id(1), Vec::new());
    assert_eq!(ended, Ok(Some(EndedSession::Detached { session, rooms })));
    assert_eq!(n1.locate("bob").await, Ok(Presence::Offline));
    assert!(common::try_resume(&n2, common::token(1)).await.is_err());
}

async fn a_peer_without_a_session_has_nothing_to_end(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let settled = async || n1.broker.end_session(&key("nobody")).await.ok();
    let ended = switchboard_harness::wait_until("the bus has settled", PATIENCE, settled).await;
    assert_eq!(ended.unwrap().0, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_of_a_node_that_died_is_removed() {
    let server = redis!();
    let (n1, n2) = (redis_node("n1", &server.url()), redis_node("n2", &server.url()));
    n1.is_up().await;
    n2.is_up().await;
    n2.attach("bob", 1).await;
    // Its tasks end without a word, as with the process; its lease is left to run out.
    drop(n2);
    let started = Instant::now();
    let ending = async || n1.broker.end_session(&key("bob")).await.ok();
    let limit = Duration::from_secs(30);
    let (ended, _) = switchboard_harness::wait_until("bob's node is known to be dead", limit, ending)
        .await
        .unwrap();
    let (session, rooms) = (session_id(1), Vec::new());
    assert_eq!(ended, Some(EndedSession::Detached { session, rooms }));
    assert!(
        started.elapsed() > Duration::from_secs(5),
        "a lease says that a node lives"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_outlive_a_redis_that_lost_everything() {
    let server = redis!();
    let n1 = redis_node("n1", &server.url());
    n1.is_up().await;
    let of_peer = revocation("p acme/alice 9");
    revoke(&n1, &of_peer, None).await;
    knows(&n1, &of_peer).await;
    let _: String = server.command(&["FLUSHALL"]).await.unwrap();
    let stored = async || {
        let reply: String = server
            .command(&["ZSCORE", "sb:revoked", "p acme/alice 9"])
            .await
            .ok()?;
        reply.contains(&of_peer.until_s.to_string()).then_some(())
    };
    switchboard_harness::wait_until("n1 writes it again", PATIENCE, stored)
        .await
        .unwrap();
    server.restart().await.unwrap();
    switchboard_harness::wait_until("n1 writes it again after a restart", PATIENCE, stored)
        .await
        .unwrap();
    let n2 = redis_node("n2", &server.url());
    knows(&n2, &of_peer).await;
}

/// Polls until the connection of `attachment` is to be closed, and lets it go as a connection does.
async fn closed(mut attachment: Attachment) -> (CloseCode, Instant) {
    let code = poll_fn(|cx| match attachment.session().poll_next(cx) {
        Poll::Ready(Outgoing::Close(code)) => Poll::Ready(code),
        Poll::Ready(_) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Pending,
    })
    .await;
    let at = Instant::now();
    if code == CloseCode::Kicked {
        attachment.on_disconnect(OnDisconnect::End, LeaveReason::Kicked);
    }
    (code, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_revocations_and_a_hundred_kicks_close_connections_of_another_node_within_a_second() {
    let server = redis!();
    let router = |name: &str| {
        let id = NodeId::new(name).unwrap();
        let router = Router::new(id.clone(), Limits::default(), Telemetry::new(name));
        let events = Arc::<Router>::clone(&router);
        let broker = RedisBroker::start(&RedisConfig::new(server.url()), id, events, Telemetry::new(name));
        router.set_broker(broker.unwrap());
        router
    };
    let (n1, n2) = (router("n1"), router("n2"));
    until("both nodes are up", PATIENCE, || {
        [&n1, &n2]
            .iter()
            .all(|node| node.bus().state == BusState::Up && node.revocations().are_known())
    })
    .await;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for code in [CloseCode::TokenEnded, CloseCode::Kicked] {
        let mut took = Vec::new();
        for number in 0..100 {
            let peer = key(&format!("peer-{number}"));
            let attachment = n2.attach(&peer, AttachRequest::default()).await.unwrap();
            let connection = tokio::spawn(closed(attachment));
            let called = Instant::now();
            if code == CloseCode::Kicked {
                assert_eq!(n1.kick(&peer).await, Ok(true));
            } else {
                let text = format!("p {} {}", peer.as_str(), now_s + 1);
                let revocation = Revocation::parse(&text, now_s + 600).unwrap();
                n1.revoke(&revocation, now_s).await.unwrap();
            }
            let (closed_with, at) = connection.await.unwrap();
            assert_eq!(closed_with, code);
            took.push(at.saturating_duration_since(called));
        }
        took.sort_unstable();
        println!(
            "{code}: p50 {:?}, p99 {:?}, longest {:?}",
            took[50], took[98], took[99]
        );
        assert!(took[98] < Duration::from_secs(1), "{code}: {:?}", took[98]);
    }
}
