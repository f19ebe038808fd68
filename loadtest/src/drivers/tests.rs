//! Each driver against its real server: a call's burst both ways in order, an unknown recipient, a killed server.

use std::{future::Future, net::TcpListener, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use switchboard_harness::rivals::SPREED_SECRET;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Broken, Driver, Heard, Link, Who, Word, peerjs::PeerServer, redis::RedisFloor, socketio::SocketIo,
    spreed::Spreed,
};
use crate::{
    cluster::{Cluster, Lots, REDIS},
    scenario::{self, DriverKind},
};

const WITHIN: Duration = Duration::from_secs(20);
/// Long enough for a word that would come, if one came.
const QUIET: Duration = Duration::from_millis(300);
const CANDIDATES: usize = 50;

/// A rival's servers, and the Redis beside them.
struct Parts(Cluster);

impl Parts {
    fn urls(&self) -> Vec<String> {
        self.0.urls()
    }

    async fn kill(&self, name: &str) {
        self.0.kill(name).await.unwrap();
    }
}

/// `None`, with the reason printed, where the kind is not installed; a failure in CI if `scripts/setup` installs it.
async fn parts(kind: DriverKind, is_set_up: bool) -> Option<Parts> {
    let spec = scenario::Cluster {
        nodes: 2,
        ..scenario::Cluster::default()
    };
    match Cluster::start(kind, &spec, Lots::default()).await {
        Ok(cluster) => Some(Parts(cluster)),
        Err(error) => skip(is_set_up, &format!("{error:#}")),
    }
}

fn skip(is_set_up: bool, reason: &str) -> Option<Parts> {
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!(in_ci && is_set_up), "{reason}");
    println!("skipped: {reason}");
    None
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(WITHIN, what).await.expect("nothing within 20 s")
}

fn who(peer: &str, node: usize) -> Who {
    let source = Some("127.0.0.7".parse().unwrap());
    let peer = peer.to_owned();
    Who { peer, node, source }
}

fn payload(text: &str, number: usize) -> Box<RawValue> {
    let value = serde_json::json!({ "text": text, "number": number, "sdp": "v=0\r\n\u{e4}".repeat(200) });
    serde_json::value::to_raw_value(&value).unwrap()
}

/// An offer or answer and its candidates, in a burst.
async fn burst<L: Link>(link: &mut L, kind: MessageKind, to: &str, text: &str) {
    assert_eq!(link.send(kind, to, &payload(text, 0)).await, Ok(1));
    for number in 1..=CANDIDATES {
        let id = link
            .send(MessageKind::Candidate, to, &payload(text, number))
            .await;
        assert_eq!(id, Ok(number as u64 + 1));
    }
    let id = link
        .send(MessageKind::Bye, to, &payload(text, CANDIDATES + 1))
        .await;
    assert_eq!(id, Ok(CANDIDATES as u64 + 2));
    let last = payload(text, CANDIDATES + 2);
    assert_eq!(
        link.send(MessageKind::Message, to, &last).await,
        Ok(CANDIDATES as u64 + 3)
    );
}

/// The next thing heard, by futures that are each polled once and dropped: none may lose anything.
async fn dropped_until_heard<L: Link>(link: &mut L) -> Heard {
    let deadline = Instant::now() + WITHIN;
    loop {
        if let Some(heard) = link.next().now_or_never() {
            return heard;
        }
        assert!(Instant::now() < deadline, "nothing heard within 20 s");
        sleep(Duration::from_millis(1)).await;
    }
}

async fn hears<L: Link>(link: &mut L, sender: Option<&str>, text: &str) {
    for number in 0..=CANDIDATES + 2 {
        let next = dropped_until_heard(link).await;
        let shown = format!("{next:?}");
        let Heard::Message { from, payload: heard } = next else {
            panic!("{shown} instead of message {number}");
        };
        assert_eq!(from.as_deref(), sender);
        let heard: serde_json::Value = serde_json::from_str(heard.get()).unwrap();
        let sent: serde_json::Value = serde_json::from_str(payload(text, number).get()).unwrap();
        assert_eq!(heard, sent);
    }
}

/// Two peers, on two nodes where there are two, exchange a call's messages. They are given back.
async fn call<D: Driver>(driver: &D) -> (D::Link, D::Link) {
    let (mut ada, to_ada) = driver.connect(&who("ada", 0)).await.unwrap();
    let (mut bob, to_bob) = driver.connect(&who("bob", 1)).await.unwrap();
    assert!(to_ada.connect > Duration::ZERO && to_ada.authenticate > Duration::ZERO);
    if driver.nodes() > 1 {
        assert_ne!(to_ada.node, to_bob.node);
    }
    burst(&mut ada, MessageKind::Offer, &to_bob.address, "from ada").await;
    burst(&mut bob, MessageKind::Answer, &to_ada.address, "from bob").await;
    let names = driver.promises().names_sender;
    hears(&mut bob, names.then_some(to_ada.address.as_str()), "from ada").await;
    hears(&mut ada, names.then_some(to_bob.address.as_str()), "from bob").await;
    (ada, bob)
}

/// Says something to nobody and returns the word on it, if one comes within `span`.
async fn word_on_nobody<L: Link>(link: &mut L, span: Duration) -> Option<(u64, Word)> {
    let id = link
        .send(MessageKind::Offer, "nobody", &payload("lost", 0))
        .await
        .unwrap();
    match timeout(span, link.next()).await {
        Ok(Heard::Word { id: about, word }) => {
            assert_eq!(about, id);
            Some((about, word))
        }
        Ok(other) => panic!("{other:?} instead of a word or nothing"),
        Err(_) => None,
    }
}

async fn ends<L: Link>(mut link: L) {
    assert!(matches!(soon(link.next()).await, Heard::Ended(_)));
    assert!(
        timeout(QUIET, link.next()).await.is_err(),
        "something after the end"
    );
    let sent = link.send(MessageKind::Offer, "bob", &payload("late", 0)).await;
    assert_eq!(sent, Err(Broken));
}

#[tokio::test]
async fn raw_redis_carries_a_call_and_tells_of_no_receiver() {
    let Some(parts) = parts(DriverKind::Redis, true).await else {
        return;
    };
    let driver = RedisFloor::new(&parts.urls()).unwrap();
    let (mut ada, bob) = call(&driver).await;
    let word = word_on_nobody(&mut ada, WITHIN).await.map(|(_, word)| word);
    assert_eq!(word, Some(Word::Failed("no receiver".into())));
    soon(bob.close()).await;
    parts.kill(REDIS).await;
    ends(ada).await;
}

#[tokio::test]
async fn peerserver_carries_a_call_and_tells_of_an_absent_peer_after_five_seconds() {
    let Some(parts) = parts(DriverKind::Peerjs, true).await else {
        return;
    };
    let driver = PeerServer::new(parts.urls()).unwrap();
    let (mut ada, bob) = call(&driver).await;
    let started = Instant::now();
    let word = word_on_nobody(&mut ada, WITHIN).await.map(|(_, word)| word);
    assert_eq!(word, Some(Word::Failed("expired".into())));
    assert!(
        started.elapsed() >= Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let refusal = driver.connect(&who("ada", 0)).await.err();
    assert_eq!(refusal.map(|refusal| refusal.0), Some("ID-TAKEN".into()));
    soon(bob.close()).await;
    parts.kill("peerjs").await;
    ends(ada).await;
}

#[tokio::test]
async fn socketio_carries_a_call_across_nodes_and_is_silent_on_an_absent_peer() {
    let Some(parts) = parts(DriverKind::Socketio, true).await else {
        return;
    };
    let driver = SocketIo::new(parts.urls()).unwrap();
    assert_eq!(driver.nodes(), 2);
    let (mut ada, mut bob) = call(&driver).await;
    assert_eq!(word_on_nobody(&mut ada, QUIET).await, None);
    parts.kill("socketio-1").await;
    ends(ada).await;
    assert!(
        timeout(QUIET, bob.next()).await.is_err(),
        "the other node is untouched"
    );
    soon(bob.close()).await;
}

#[tokio::test]
async fn spreed_carries_a_call_and_is_silent_on_an_absent_session() {
    let Some(parts) = parts(DriverKind::Spreed, false).await else {
        return;
    };
    let driver = Spreed::new(parts.urls(), SPREED_SECRET.as_bytes()).unwrap();
    let (mut ada, bob) = call(&driver).await;
    assert_eq!(word_on_nobody(&mut ada, QUIET).await, None);
    let stranger = Spreed::new(parts.urls(), b"another").unwrap();
    let refusal = stranger.connect(&who("eve", 0)).await.err();
    assert_eq!(refusal.map(|refusal| refusal.0), Some("invalid_token".into()));
    soon(bob.close()).await;
    parts.kill("spreed").await;
    ends(ada).await;
}

#[tokio::test]
async fn a_dead_address_is_a_refusal_in_few_words() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let driver = SocketIo::new(vec![format!("ws://127.0.0.1:{port}/socket.io/")]).unwrap();
    let refusal = driver.connect(&who("ada", 0)).await.err();
    assert_eq!(
        refusal.map(|refusal| refusal.0),
        Some("tcp: connection refused".into())
    );
}
