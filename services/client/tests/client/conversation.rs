//! Sending, awaiting and closing, against a real WebSocket server.

use std::time::Duration;

use crate::server::{SOON, finished, node};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{json, value::RawValue};
use switchboard_client::{Client, ClientError, SendReport};
use switchboard_protocol::{ErrorCode, Event, MessageKind, ServerFrame};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

const OFFER: &str = r#"{"type":"offer","from":"bob","mid":"s2/1","seq":1,"payload":{ "n":1.0 }}"#;
const PONG: &str = r#"{"type":"pong","time_ms":7}"#;

fn payload() -> Box<RawValue> {
    RawValue::from_string(r#"{ "sdp" : 1e2 }"#.into()).unwrap()
}

async fn confirm(client: &mut Client, within: Duration) -> Result<SendReport, ClientError> {
    client
        .send_and_confirm(MessageKind::Offer, "bob", &payload(), within)
        .await
}

#[tokio::test]
async fn an_outcome_is_found_among_other_frames_which_keep_their_order() {
    let (options, server) = node(|mut peer| async move {
        let sent = peer.json().await;
        for frame in [
            OFFER,
            r#"{"type":"receipt","id":1,"status":"queued"}"#,
            r#"{"type":"receipt","id":2,"status":"delivered"}"#,
            r#"{"type":"receipt","id":1,"status":"delivered"}"#,
        ] {
            peer.text(frame).await;
        }
        (sent, peer)
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    assert_eq!(confirm(&mut client, SOON).await.unwrap(), SendReport::delivered());
    let (sent, _peer) = finished(server).await;
    assert_eq!(
        sent,
        json!({ "type": "offer", "to": "bob", "id": 1, "payload": { "sdp": 1e2 } })
    );
    let message = client.message(SOON).await.unwrap();
    assert_eq!(
        (message.from.as_str(), message.payload.get()),
        ("bob", r#"{ "n":1.0 }"#)
    );
    // `queued` is not final, and the other receipt belongs to another send.
    for of in [1, 2] {
        let frame = client.next().await.unwrap();
        assert!(
            matches!(frame, ServerFrame::Event(Event::Receipt { id, .. }) if id == of),
            "{frame:?}"
        );
    }
}

#[tokio::test]
async fn an_error_with_the_sends_id_is_its_outcome() {
    let (options, server) = node(|mut peer| async move {
        peer.json().await;
        let text = r#"{"type":"error","id":1,"code":"peer-offline","message":"nobody"}"#;
        peer.text(text).await;
        peer
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    let failed = SendReport::failed(ErrorCode::PeerOffline, "nobody");
    assert_eq!(confirm(&mut client, SOON).await.unwrap(), failed);
    finished(server).await;
}

#[tokio::test]
async fn a_send_that_is_only_queued_runs_into_the_callers_deadline() {
    let (options, server) = node(|mut peer| async move {
        peer.json().await;
        peer.text(r#"{"type":"receipt","id":1,"status":"queued"}"#).await;
        peer
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    let late = confirm(&mut client, Duration::from_millis(200)).await;
    assert!(matches!(late, Err(ClientError::Timeout)), "{late:?}");
    finished(server).await;
}

#[tokio::test]
async fn frames_are_buffered_up_to_the_bound() {
    let (mut options, server) = node(|mut peer| async move {
        for _ in 0..3 {
            peer.text(PONG).await;
        }
        peer
    })
    .await;
    options.buffered_frames = 2;
    let mut client = Client::connect(&options).await.unwrap();
    let full = client.message(SOON).await;
    assert!(matches!(full, Err(ClientError::BufferFull(2))), "{full:?}");
    finished(server).await;
}

#[tokio::test]
async fn a_client_that_only_reads_answers_pings() {
    let (options, server) = node(|mut peer| async move {
        peer.socket.send(Message::Ping("beat".into())).await.unwrap();
        let answer = peer.socket.next().await.unwrap().unwrap();
        peer.text(PONG).await;
        answer
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    client.next().await.unwrap();
    assert_eq!(finished(server).await, Message::Pong("beat".into()));
}

#[tokio::test]
async fn an_invalid_frame_is_an_error_and_the_next_one_is_read() {
    let (options, server) = node(|mut peer| async move {
        peer.text(r#"{"type":"novelty"}"#).await;
        peer.text(PONG).await;
        peer
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    let unread = client.next().await;
    assert!(matches!(unread, Err(ClientError::Frame(_))), "{unread:?}");
    assert!(matches!(
        client.next().await.unwrap(),
        ServerFrame::Event(Event::Pong { time_ms: 7, .. })
    ));
    finished(server).await;
}

#[tokio::test]
async fn the_nodes_close_code_and_reason_are_returned_and_its_close_is_answered() {
    let (options, server) = node(|mut peer| async move {
        let frame = CloseFrame {
            code: 4409.into(),
            reason: "replaced".into(),
        };
        peer.socket.send(Message::Close(Some(frame))).await.unwrap();
        peer.close_code().await
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    assert_eq!(client.closed(SOON).await.unwrap(), (4409, "replaced".to_owned()));
    assert_eq!(finished(server).await, Some(4409), "the client's answer");
}

#[tokio::test]
async fn closing_waits_for_the_nodes_answer_so_that_both_sides_end_cleanly() {
    let (options, server) = node(|mut peer| async move { peer.close_code().await }).await;
    let client = Client::connect(&options).await.unwrap();
    client.close().await;
    assert_eq!(finished(server).await, Some(1000), "the session ends");
}
