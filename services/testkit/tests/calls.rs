//! The main job: peers set up a call, on one node and across two.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::{Duration, Instant};

use switchboard_client::{AcksBy, Client, ConnectOptions, SendReport};
use switchboard_protocol::{ErrorCode, MessageKind, SendOutcome};
use switchboard_testkit::{Cluster, PATIENCE, payload, token};

/// JSON that a parser would change: spacing, numbers, escapes, duplicate keys, a lone surrogate.
const ODD: &str = "{ \"sdp\" :\"v=0\\r\\n\\u0041\\/\\ud83d\\ude00\",\"n\":1.000e+2,\"big\":123456789012345678901234567890,\"n\": -0 ,\t\"a\":[ ] }";

const CANDIDATES: u64 = 20;

/// Sends an offer or answer and trickles candidates; returns the payloads in the order sent.
async fn trickle(from: &mut Client, kind: MessageKind, to: &str) -> Vec<String> {
    let mut sent = vec![ODD.to_owned()];
    let id = from.next_id();
    from.send(kind, to, Some(id), &payload(ODD).unwrap())
        .await
        .unwrap();
    for number in 0..CANDIDATES {
        let json = format!("{{\"candidate\": \"candidate:{number} 1 udp\",  \"sdpMLineIndex\":{number}.0}}");
        let id = from.next_id();
        from.send(
            MessageKind::Candidate,
            to,
            Some(id),
            &payload(json.as_str()).unwrap(),
        )
        .await
        .unwrap();
        sent.push(json);
    }
    sent
}

async fn arrives(at: &mut Client, from: &str, sent: &[String]) {
    for expected in sent {
        let message = at.message(PATIENCE).await.unwrap();
        assert_eq!(
            (message.from.as_str(), message.payload.get()),
            (from, expected.as_str())
        );
    }
}

async fn all_delivered(sender: &mut Client) {
    for id in 1..=CANDIDATES + 1 {
        assert_eq!(
            sender.outcome_of(id, PATIENCE).await.unwrap(),
            SendReport::delivered(),
            "send {id}"
        );
    }
}

async fn call_between(alice_at: usize, bob_at: usize) {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(alice_at, "alice").await.unwrap();
    let mut bob = cluster.connect(bob_at, "bob").await.unwrap();
    assert_eq!(
        alice.welcome().node.as_str() == bob.welcome().node.as_str(),
        alice_at == bob_at
    );
    let offered = trickle(&mut alice, MessageKind::Offer, "bob").await;
    arrives(&mut bob, "alice", &offered).await;
    let answered = trickle(&mut bob, MessageKind::Answer, "alice").await;
    arrives(&mut alice, "bob", &answered).await;
    all_delivered(&mut alice).await;
    all_delivered(&mut bob).await;
}

#[tokio::test]
async fn offer_answer_and_candidates_pass_between_two_nodes_in_order_and_untouched() {
    call_between(0, 1).await;
}

#[tokio::test]
async fn offer_answer_and_candidates_pass_on_one_node_in_order_and_untouched() {
    call_between(0, 0).await;
}

#[tokio::test]
async fn an_unknown_peer_is_offline_within_a_second() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let start = Instant::now();
    let outcome = alice
        .send_and_confirm(MessageKind::Offer, "nobody", &payload("1").unwrap(), PATIENCE)
        .await;
    assert!(matches!(
        outcome.unwrap().outcome,
        SendOutcome::Error(ErrorCode::PeerOffline)
    ));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn two_thousand_messages_in_one_burst_reach_a_reader_that_pauses_once_and_in_order() {
    const BURST: u64 = 2000;
    let cluster = Cluster::start(2).await.unwrap();
    for bob_at in [0, 1] {
        let mut alice = cluster.connect(0, "alice").await.unwrap();
        let mut bob = cluster.connect(bob_at, "bob").await.unwrap();
        let json = payload(format!("\"{}\"", "x".repeat(1200))).unwrap();
        // Bob reads nothing while alice sends: his socket fills up, then his send queue.
        for id in 1..=BURST {
            alice
                .send(MessageKind::Message, "bob", Some(id), &json)
                .await
                .unwrap();
        }
        for seq in 1..=BURST {
            let message = bob.message(PATIENCE).await.unwrap();
            assert!(
                message.seq == seq && message.mid.ends_with(&format!("/{seq}")),
                "{} at {seq}",
                message.mid
            );
        }
        for id in 1..=BURST {
            assert_eq!(
                alice.outcome_of(id, PATIENCE).await.unwrap(),
                SendReport::delivered(),
                "send {id}"
            );
        }
    }
}

#[tokio::test]
async fn a_peer_may_acknowledge_one_by_one_all_that_others_send_to_it() {
    const SENDERS: u64 = 3;
    const EACH: u64 = 150;
    // Each sender stays within its burst. Together they send more than bob could send by himself.
    let limits = "[limits]\nmessages_per_second = 20\nmessage_burst = 150\n";
    let cluster = Cluster::start_with(1, limits).await.unwrap();
    let bob = ConnectOptions {
        acks: AcksBy::Client,
        ..ConnectOptions::new(cluster.nodes[0].url(), token("bob").unwrap())
    };
    let mut bob = Client::connect(&bob).await.unwrap();
    let (json, mut senders) = (payload("1").unwrap(), Vec::new());
    for number in 0..SENDERS {
        let mut sender = cluster.connect(0, &format!("sender-{number}")).await.unwrap();
        for id in 1..=EACH {
            let sent = sender.send(MessageKind::Message, "bob", Some(id), &json);
            sent.await.unwrap();
        }
        senders.push(sender);
    }
    for _ in 0..SENDERS * EACH {
        let seq = bob.message(PATIENCE).await.unwrap().seq;
        bob.send_text(format!(r#"{{"type":"ack","seq":{seq}}}"#))
            .await
            .unwrap();
    }
    for sender in &mut senders {
        for id in 1..=EACH {
            let outcome = sender.outcome_of(id, PATIENCE).await.unwrap();
            assert_eq!(outcome, SendReport::delivered());
        }
    }
    let outcome = bob.send_and_confirm(MessageKind::Bye, "sender-0", &json, PATIENCE);
    assert_eq!(outcome.await.unwrap(), SendReport::delivered(), "bob stays");
}

#[tokio::test]
async fn a_newer_connection_on_another_node_replaces_the_older_one() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut old = cluster.connect(0, "bob").await.unwrap();
    let mut new = cluster.connect(1, "bob").await.unwrap();
    assert_eq!(old.closed(PATIENCE).await.unwrap().0, 4409);
    let outcome = alice
        .send_and_confirm(MessageKind::Bye, "bob", &payload("{}").unwrap(), PATIENCE)
        .await;
    assert_eq!(outcome.unwrap(), SendReport::delivered());
    assert_eq!(new.message(PATIENCE).await.unwrap().kind, MessageKind::Bye);
}

#[tokio::test]
async fn peers_of_different_tenants_cannot_reach_each_other() {
    let cluster = Cluster::start(1).await.unwrap();
    let _bob = cluster.connect(0, "bob").await.unwrap();
    let minter =
        switchboard_auth::Minter::hs256(&switchboard_protocol::Secret::new(switchboard_testkit::SECRET));
    let mut claims = switchboard_testkit::claims("mallory");
    claims.tenant = Some("other".into());
    let token = minter.unwrap().mint(&claims, Some("switchboard")).unwrap();
    let options = ConnectOptions::new(cluster.nodes[0].url(), token);
    let mut mallory = Client::connect(&options).await.unwrap();
    let outcome = mallory
        .send_and_confirm(MessageKind::Offer, "bob", &payload("1").unwrap(), PATIENCE)
        .await;
    assert!(matches!(
        outcome.unwrap().outcome,
        SendOutcome::Error(ErrorCode::PeerOffline)
    ));
}
