//! Long polling: a session stays while its client polls, and a lost answer is given again.

use serde_json::json;
use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, PATIENCE, payload, wait_until};

use crate::client::{Place, detached, http, poll, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_polling_client_sends_and_receives_and_gets_a_lost_answer_again() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let base = http(&cluster.nodes[0]);
    let (batch, frames) = poll(&base, "alice", "").await;
    let place = Place::of(&frames[0]);
    let offer = r#"{"type":"offer","to":"bob","id":1,"payload":1}"#;
    assert_eq!(post(&base, &place, offer).await.0, 202);
    assert_eq!(bob.message(PATIENCE).await.unwrap().payload.get(), "1");
    let query = |batch: u64| format!("resume={}&batch={batch}", place.resume);
    let (next, frames) = poll(&base, "alice", &query(batch)).await;
    let receipt = json!({"type": "receipt", "id": 1, "status": "delivered"});
    assert_eq!((next, frames), (batch + 1, vec![receipt.clone()]));
    bob.send(MessageKind::Answer, "alice", Some(1), &payload("2").unwrap())
        .await
        .unwrap();
    // The client says each time that it did not get the batch before.
    let with_answer = async || {
        let (again, frames) = poll(&base, "alice", &query(batch)).await;
        assert!(again > next && frames[0] == receipt, "{again}: {frames:?}");
        (frames.len() == 2).then_some(frames)
    };
    let (frames, _) = wait_until("the answer is there", PATIENCE, with_answer)
        .await
        .unwrap();
    assert_eq!(frames[1]["payload"], json!(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_relays_a_poll_and_takes_the_session_over_once_its_node_is_gone() {
    let cluster = Cluster::start_with(2, "[session]\nheartbeat_ms = 2000\n")
        .await
        .unwrap();
    let (first, second) = (http(&cluster.nodes[0]), http(&cluster.nodes[1]));
    let (batch, frames) = poll(&first, "alice", "").await;
    let place = Place::of(&frames[0]);
    let query = format!("resume={}&node={}&batch={batch}&seen=0", place.resume, place.node);
    assert_eq!(poll(&second, "alice", &query).await, (batch, vec![]));
    assert_eq!(post(&second, &place, r#"{"type":"ping","id":1}"#).await.0, 202);
    let (batch, frames) = poll(&second, "alice", &query).await;
    assert_eq!((batch, &frames[0]["id"]), (2, &json!(1)));
    cluster.nodes[0].kill().await.unwrap();
    let (_, frames) = poll(&second, "alice", &query).await;
    assert_eq!(
        (&frames[0]["type"], &frames[0]["resumed"]),
        (&json!("welcome"), &json!(true))
    );
    assert_eq!(frames[0]["node"], json!("n2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_without_events_ends_empty_and_a_client_that_stops_is_detached() {
    let cluster = Cluster::start_with(1, "[session]\nheartbeat_ms = 1000\n")
        .await
        .unwrap();
    let base = http(&cluster.nodes[0]);
    let (batch, frames) = poll(&base, "alice", "").await;
    let place = Place::of(&frames[0]);
    let query = format!("resume={}&batch={batch}", place.resume);
    // Each poll is a sign of life: together they last longer than two heartbeats.
    for _ in 0..4 {
        assert_eq!(poll(&base, "alice", &query).await, (batch, vec![]));
    }
    detached(&base, &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_poll_says_why_the_connection_ended() {
    let cluster = Cluster::start(1).await.unwrap();
    let base = http(&cluster.nodes[0]);
    let (batch, frames) = poll(&base, "alice", "").await;
    let place = Place::of(&frames[0]);
    let query = format!("resume={}&batch={batch}", place.resume);
    let (polled, newer) = tokio::join!(poll(&base, "alice", &query), cluster.connect(0, "alice"));
    newer.unwrap();
    assert_eq!(
        (&polled.1[0]["type"], &polled.1[0]["code"]),
        (&json!("close"), &json!(4409))
    );
}
