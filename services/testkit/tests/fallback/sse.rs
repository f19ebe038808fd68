//! Server-sent events: the session of an event stream is a session like any other.

use serde_json::{Value, json};
use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, PATIENCE, payload};

use crate::client::{EventStream, Place, detached, http, post};

/// The next events without the receipts of others.
async fn next(stream: &mut EventStream) -> Value {
    stream.next().await.unwrap().data
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_websocket_sends_and_receives_across_nodes() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let base = http(&cluster.nodes[0]);
    let mut alice = EventStream::open(&base, "alice", "", None).await;
    let place = Place::of(&alice.welcome().await);
    let offer = r#"{"type":"offer","to":"bob","id":1,"payload":{"sdp":"v=0"}}"#;
    assert_eq!(post(&base, &place, offer).await.0, 202);
    assert_eq!(
        bob.message(PATIENCE).await.unwrap().payload.get(),
        r#"{"sdp":"v=0"}"#
    );
    let receipt = json!({"type": "receipt", "id": 1, "status": "delivered"});
    assert_eq!(next(&mut alice).await, receipt);
    // White space between the tokens of a payload may break lines, and an event has one line for each.
    let answer = payload("{\n  \"sdp\": [\r\n1]}").unwrap();
    bob.send(MessageKind::Answer, "alice", Some(1), &answer)
        .await
        .unwrap();
    let answer = next(&mut alice).await;
    assert_eq!((&answer["type"], &answer["seq"]), (&json!("answer"), &json!(1)));
    assert_eq!(answer["payload"], json!({"sdp": [1]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reconnect_that_a_browser_does_by_itself_is_a_resume_on_any_node() {
    let cluster = Cluster::start(3).await.unwrap();
    let mut bob = cluster.connect(2, "bob").await.unwrap();
    let mut alice = EventStream::open(&http(&cluster.nodes[0]), "alice", "", None).await;
    let first = alice.welcome().await;
    let mut send = async |text: &str| {
        let id = bob.next_id();
        let kind = MessageKind::Message;
        bob.send(kind, "alice", Some(id), &payload(text).unwrap())
            .await
            .unwrap();
    };
    send("1").await;
    let last = alice.next().await.unwrap();
    assert_eq!(last.data["payload"], json!(1));
    drop(alice);
    // Until then the node may still write to a socket whose end it has not seen, and says so: `gap`.
    detached(&http(&cluster.nodes[0]), &Place::of(&first)).await;
    send("2").await;
    let mut alice = EventStream::open(&http(&cluster.nodes[1]), "alice", "", Some(&last.id)).await;
    let second = alice.welcome().await;
    assert_eq!(
        (&second["resumed"], &second["gap"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&second["session"], &second["node"]),
        (&first["session"], &json!("n2"))
    );
    send("3").await;
    for payload in [2, 3] {
        let event = next(&mut alice).await;
        assert_eq!(
            (&event["payload"], &event["seq"]),
            (&json!(payload), &json!(payload))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_of_the_peer_ends_the_stream_with_its_reason() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut stream = EventStream::open(&http(&cluster.nodes[0]), "alice", "", None).await;
    stream.welcome().await;
    let _newer = cluster.connect(0, "alice").await.unwrap();
    let close = stream.next().await.unwrap();
    assert_eq!(
        (close.name.as_str(), &close.data["code"]),
        ("close", &json!(4409))
    );
    assert_eq!(stream.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_stays_open_and_a_stream_that_was_left_is_detached() {
    let cluster = Cluster::start_with(1, "[session]\nheartbeat_ms = 300\n")
        .await
        .unwrap();
    let base = http(&cluster.nodes[0]);
    let mut stream = EventStream::open(&base, "alice", "", None).await;
    let place = Place::of(&stream.welcome().await);
    // Longer than a client may be silent over a WebSocket: two heartbeats.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(post(&base, &place, r#"{"type":"ping","id":7}"#).await.0, 202);
    assert_eq!(next(&mut stream).await["id"], json!(7));
    drop(stream);
    detached(&base, &place).await;
}
