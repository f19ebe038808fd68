//! Each driver against its real server: a call's burst both ways in order, an unknown recipient, a killed server.

use std::{net::TcpListener, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use switchboard_harness::rivals::SPREED_SECRET;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Broken, Driver, Link, LinkEvent, Outcome, Who, peerjs::PeerJs, redis::RawRedis, relay::Relay,
    socketio::SocketIo, spreed::Spreed,
};
use crate::{
    cluster::{Cluster, Lots, REDIS},
    scenario::{self, DriverKind},
};

const MAX_TIME: Duration = Duration::from_secs(20);
/// Long enough for an event that would come, if one came.
const QUIET_TIME: Duration = Duration::from_millis(300);
const CANDIDATES: usize = 50;

/// A cluster of that kind. `None`, with the reason printed, where it is not installed; a failure in CI if
/// `scripts/setup` installs it.
async fn cluster(kind: DriverKind, is_set_up: bool) -> Option<Cluster> {
    let spec = scenario::Cluster {
        nodes: 2,
        ..scenario::Cluster::default()
    };
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    Cluster::start(kind, &spec, Lots::default())
        .await
        .inspect_err(|error| assert!(!(in_ci && is_set_up), "{error:#}"))
        .inspect_err(|error| println!("skipped: {error:#}"))
        .ok()
}

fn who(peer: &str, node: usize) -> Who {
    Who {
        peer: peer.to_owned(),
        node,
        source: Some("127.0.0.7".parse().unwrap()),
    }
}

fn payload(text: &str, number: usize) -> Box<RawValue> {
    let value = serde_json::json!({ "text": text, "number": number, "sdp": "v=0\r\n\u{e4}".repeat(200) });
    serde_json::value::to_raw_value(&value).unwrap()
}

/// An offer, its candidates, a bye and a message, in a burst.
async fn burst<L: Link>(link: &mut L, to: &str, text: &str) {
    let candidates = std::iter::repeat_n(MessageKind::Candidate, CANDIDATES);
    let kinds = [MessageKind::Offer].into_iter().chain(candidates);
    for (number, kind) in kinds.chain([MessageKind::Bye, MessageKind::Message]).enumerate() {
        let id = link.send(kind, to, &payload(text, number)).await;
        assert_eq!(id, Ok(number as u64 + 1));
    }
}

/// The next event, by futures that are each polled once and dropped: none may lose anything.
async fn dropped_until_ready<L: Link>(link: &mut L) -> LinkEvent {
    let deadline = Instant::now() + MAX_TIME;
    loop {
        if let Some(event) = link.next().now_or_never() {
            return event;
        }
        assert!(Instant::now() < deadline, "no event within 20 s");
        sleep(Duration::from_millis(1)).await;
    }
}

async fn receives<L: Link>(link: &mut L, sender: Option<&str>, text: &str) {
    for number in 0..=CANDIDATES + 2 {
        match dropped_until_ready(link).await {
            LinkEvent::Message {
                from,
                payload: received,
            } => {
                let json =
                    |payload: &RawValue| serde_json::from_str::<serde_json::Value>(payload.get()).unwrap();
                assert_eq!(
                    (from.as_deref(), json(&received)),
                    (sender, json(&payload(text, number)))
                );
            }
            LinkEvent::Outcome { .. }
            | LinkEvent::Disconnected(_)
            | LinkEvent::Reconnected { .. }
            | LinkEvent::Room(_)
            | LinkEvent::RoomMessage { .. }
            | LinkEvent::Refused { .. }
            | LinkEvent::Ended(_) => panic!("no message {number}"),
        }
    }
}

/// Two peers, on two nodes where there are two, exchange a call's messages. They are given back.
async fn call<D: Driver>(driver: &D) -> (D::Link, D::Link) {
    let (mut ada, to_ada) = driver.connect(&who("ada", 0)).await.unwrap();
    let (mut bob, to_bob) = driver.connect(&who("bob", 1)).await.unwrap();
    burst(&mut ada, &to_bob.address, "from ada").await;
    burst(&mut bob, &to_ada.address, "from bob").await;
    let names_sender = driver.promises().names_sender;
    receives(
        &mut bob,
        names_sender.then_some(to_ada.address.as_str()),
        "from ada",
    )
    .await;
    receives(
        &mut ada,
        names_sender.then_some(to_bob.address.as_str()),
        "from bob",
    )
    .await;
    (ada, bob)
}

/// Sends to an unknown recipient; the outcome, if one comes within `span`.
async fn outcome_of_unknown<L: Link>(link: &mut L, span: Duration) -> Option<Outcome> {
    let sent = link
        .send(MessageKind::Offer, "nobody", &payload("lost", 0))
        .await
        .unwrap();
    match timeout(span, link.next()).await {
        Ok(LinkEvent::Outcome { id, outcome }) => {
            assert_eq!(id, sent);
            Some(outcome)
        }
        Ok(other) => panic!("{other:?} instead of an outcome"),
        Err(_) => None,
    }
}

async fn ends<L: Link>(mut link: L) {
    assert!(matches!(
        timeout(MAX_TIME, link.next()).await,
        Ok(LinkEvent::Ended(_))
    ));
    let next = timeout(QUIET_TIME, link.next()).await;
    assert!(next.is_err(), "an event after the end");
    let sent = link.send(MessageKind::Offer, "bob", &payload("late", 0)).await;
    assert_eq!(sent, Err(Broken));
}

async fn leaves<L: Link>(link: L) {
    timeout(MAX_TIME, link.close()).await.expect("closed within 20 s");
}

#[tokio::test]
async fn raw_redis_carries_a_call_and_reports_a_missing_receiver() {
    let Some(cluster) = cluster(DriverKind::Redis, true).await else {
        return;
    };
    let driver = Relay::new(RawRedis, cluster.urls());
    let (mut ada, bob) = call(&driver).await;
    let outcome = outcome_of_unknown(&mut ada, MAX_TIME).await;
    assert_eq!(outcome, Some(Outcome::Failed("no receiver".into())));
    leaves(bob).await;
    cluster.process(REDIS).unwrap().kill().await.unwrap();
    ends(ada).await;
}

#[tokio::test]
async fn peerserver_carries_a_call_and_reports_an_absent_peer_after_five_seconds() {
    let Some(cluster) = cluster(DriverKind::Peerjs, true).await else {
        return;
    };
    let driver = Relay::new(PeerJs, cluster.urls());
    let (mut ada, bob) = call(&driver).await;
    let started = Instant::now();
    let outcome = outcome_of_unknown(&mut ada, MAX_TIME).await;
    assert_eq!(outcome, Some(Outcome::Failed("expired".into())));
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(4), "{took:?}");
    let refusal = driver.connect(&who("ada", 0)).await.err();
    assert_eq!(refusal.map(|refusal| refusal.0), Some("ID-TAKEN".into()));
    leaves(bob).await;
    cluster.process("peerjs").unwrap().kill().await.unwrap();
    ends(ada).await;
}

#[tokio::test]
async fn socketio_carries_a_call_across_nodes_and_is_silent_on_an_absent_peer() {
    let Some(cluster) = cluster(DriverKind::Socketio, true).await else {
        return;
    };
    let driver = Relay::new(SocketIo, cluster.urls());
    assert_eq!(driver.nodes(), 2);
    let (mut ada, mut bob) = call(&driver).await;
    assert_eq!(outcome_of_unknown(&mut ada, QUIET_TIME).await, None);
    cluster.process("socketio-1").unwrap().kill().await.unwrap();
    ends(ada).await;
    let next = timeout(QUIET_TIME, bob.next()).await;
    assert!(next.is_err(), "the other node is untouched");
    leaves(bob).await;
}

#[tokio::test]
async fn spreed_carries_a_call_and_is_silent_on_an_absent_session() {
    let Some(cluster) = cluster(DriverKind::Spreed, false).await else {
        return;
    };
    let driver = Relay::new(Spreed::new(SPREED_SECRET.as_bytes()), cluster.urls());
    let (mut ada, bob) = call(&driver).await;
    assert_eq!(outcome_of_unknown(&mut ada, QUIET_TIME).await, None);
    let stranger = Relay::new(Spreed::new(b"another"), cluster.urls());
    let refusal = stranger.connect(&who("eve", 0)).await.err();
    assert_eq!(refusal.map(|refusal| refusal.0), Some("invalid_token".into()));
    leaves(bob).await;
    cluster.process("spreed").unwrap().kill().await.unwrap();
    ends(ada).await;
}

#[tokio::test]
async fn a_dead_address_is_a_refusal_in_few_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let urls = vec![format!("ws://127.0.0.1:{port}/socket.io/")];
    let refusal = Relay::new(SocketIo, urls).connect(&who("ada", 0)).await.err();
    let reason = refusal.map(|refusal| refusal.0);
    assert_eq!(reason, Some("tcp: connection refused".into()));
}
