//! Rooms and presence of a session: requests end in an answer, and memberships and watches outlive connections and
//! sessions.

use std::time::Duration;

use serde_json::{Value, json, value::RawValue};
use switchboard_client::{Client, SessionError, SessionOptions};
use switchboard_protocol::{Command, Event, MAX_PEERS_PER_COMMAND, MessageKind, RoomId};
use tokio::net::TcpListener;

use crate::{
    server::{Peer, SOON, finished, message, node},
    stage::{Stage, frame, nodes, payload, soon},
};

async fn request(peer: &mut Peer) -> Value {
    soon(peer.json()).await
}

async fn resumed(listener: &TcpListener, stage: &mut Stage, is_resumed: bool) -> Peer {
    let mut peer = soon(Peer::accept(listener)).await;
    peer.welcome("n2", is_resumed, "t2").await;
    assert_eq!(stage.event().await, format!("connected n2 resumed:{is_resumed}"));
    peer
}

/// A session that is a member of the room `lobby`, by its request 1.
async fn member(listener: &TcpListener, options: SessionOptions) -> (Stage, Peer) {
    let (mut stage, mut peer) = Stage::connected(options, listener).await;
    let info = RawValue::from_string(r#"{"name": "Al"}"#.into()).unwrap();
    assert_eq!(stage.session.join("lobby", Some(info)).await, Ok(1));
    assert_eq!(
        request(&mut peer).await,
        json!({ "type": "join", "room": "lobby", "id": 1, "info": { "name": "Al" } })
    );
    peer.text(r#"{"type":"joined","id":1,"room":"lobby","version":1,"count":1,"members":[{"peer":"alice","state":"online"}]}"#)
        .await;
    assert_eq!(stage.event().await, "joined lobby Some(1)");
    (stage, peer)
}

#[tokio::test]
async fn a_session_hears_what_happens_in_its_room() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = member(&listener, options).await;
    for (text, event) in [
        (
            r#"{"type":"peer-joined","room":"lobby","version":2,"peer":"bob"}"#,
            "peer-joined lobby bob",
        ),
        (
            r#"{"type":"peer-left","room":"lobby","version":3,"peer":"bob","reason":"lost"}"#,
            "peer-left lobby bob Lost",
        ),
        (
            r#"{"type":"room-count","room":"lobby","count":900}"#,
            "count lobby 900",
        ),
        (
            r#"{"type":"message","from":"bob","room":"lobby","mid":"s2/1","seq":1,"payload":1}"#,
            "message s2/1",
        ),
    ] {
        peer.text(text).await;
        assert_eq!(stage.event().await, event);
    }
    let sent = stage
        .session
        .send_to_room(MessageKind::Message, "lobby", payload());
    assert_eq!(sent.await, Ok(2));
    assert_eq!(frame(&mut peer).await, "ack 1");
    let to_room = json!({ "type": "message", "room": "lobby", "id": 2, "payload": { "sdp": 1e2 } });
    assert_eq!(request(&mut peer).await, to_room);
    peer.text(r#"{"type":"receipt","id":2,"status":"published"}"#)
        .await;
    assert_eq!(stage.event().await, "published 2");
    assert_eq!(stage.session.leave("lobby").await, Ok(3));
    assert_eq!(
        request(&mut peer).await,
        json!({ "type": "leave", "room": "lobby", "id": 3 })
    );
    peer.text(r#"{"type":"left","id":3,"room":"lobby"}"#).await;
    assert_eq!(stage.event().await, "left lobby Some(3) None");
}

#[tokio::test]
async fn a_request_without_an_answer_is_repeated_after_a_resume() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = member(&listener, options).await;
    assert_eq!(stage.session.leave("lobby").await, Ok(2));
    request(&mut peer).await;
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    let mut peer = resumed(&listener, &mut stage, true).await;
    let leave = json!({ "type": "leave", "room": "lobby", "id": 2 });
    assert_eq!(
        request(&mut peer).await,
        leave,
        "the node keeps the membership, so nothing is joined again"
    );
}

#[tokio::test]
async fn a_new_session_joins_and_watches_again_and_a_resumed_one_does_not() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = member(&listener, options).await;
    let watched = vec!["bob".into(), "carol".into()];
    assert_eq!(stage.session.watch(watched).await, Ok(2));
    request(&mut peer).await;
    peer.text(r#"{"type":"presence","id":2,"peers":[{"peer":"bob","state":"online"},{"peer":"carol","state":"offline"}]}"#)
        .await;
    assert_eq!(stage.event().await, "presence Some(2) bob:Online carol:Offline");
    assert_eq!(stage.session.unwatch(vec!["bob".into()]).await, Ok(3));
    request(&mut peer).await;
    peer.text(r#"{"type":"presence","id":3,"peers":[]}"#).await;
    assert_eq!(stage.event().await, "presence Some(3) ");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");

    let mut peer = resumed(&listener, &mut stage, true).await;
    assert_eq!(stage.send().await, 4);
    assert_eq!(frame(&mut peer).await, "send 4", "and nothing before it");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");

    let mut peer = resumed(&listener, &mut stage, false).await;
    assert_eq!(stage.event().await, "failed 4 timeout");
    let join = json!({ "type": "join", "room": "lobby", "id": 1, "info": { "name": "Al" } });
    assert_eq!(request(&mut peer).await, join);
    assert_eq!(
        request(&mut peer).await,
        json!({ "type": "watch", "peers": ["carol"], "id": 2 })
    );
    peer.text(r#"{"type":"error","id":1,"code":"room-full","message":"full"}"#)
        .await;
    assert_eq!(stage.event().await, "failed 1 room-full");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    let mut peer = resumed(&listener, &mut stage, false).await;
    assert_eq!(
        request(&mut peer).await,
        json!({ "type": "watch", "peers": ["carol"], "id": 2 }),
        "the watch had no answer yet, and the room was full"
    );
}

#[tokio::test]
async fn a_membership_that_the_node_ended_is_not_asked_for_again() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = member(&listener, options).await;
    peer.text(r#"{"type":"left","room":"lobby","reason":"kicked"}"#)
        .await;
    assert_eq!(stage.event().await, "left lobby None Some(Kicked)");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    let mut peer = resumed(&listener, &mut stage, false).await;
    assert_eq!(stage.send().await, 2);
    assert_eq!(frame(&mut peer).await, "send 2");
}

#[tokio::test]
async fn requests_share_the_permits_of_sends() {
    let ([listener], mut options) = nodes().await;
    options.pending_messages = 1;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    assert_eq!(stage.session.lookup(vec!["bob".into()]).await, Ok(1));
    assert_eq!(
        request(&mut peer).await,
        json!({ "type": "lookup", "peers": ["bob"], "id": 1 })
    );
    let sent = stage.session.send(MessageKind::Message, "bob", payload());
    assert!(
        futures_util::FutureExt::now_or_never(sent).is_none(),
        "the lookup has the only permit"
    );
    peer.text(r#"{"type":"presence","id":1,"peers":[{"peer":"bob","state":"detached"}]}"#)
        .await;
    assert_eq!(stage.event().await, "presence Some(1) bob:Detached");
    assert_eq!(stage.send().await, 2);
    let peers = vec![String::new(); MAX_PEERS_PER_COMMAND + 1];
    let too_many = stage.session.watch(peers).await;
    assert_eq!(
        too_many,
        Err(SessionError::TooManyPeers(MAX_PEERS_PER_COMMAND + 1))
    );
}

#[tokio::test]
async fn a_message_that_may_wait_says_how_long() {
    let ([listener], options) = nodes().await;
    let (stage, mut peer) = Stage::connected(options, &listener).await;
    let hold = Duration::from_secs(30);
    let sent = stage
        .session
        .send_held(MessageKind::Offer, "bob", payload(), hold);
    assert_eq!(sent.await, Ok(1));
    assert_eq!(
        request(&mut peer).await,
        json!({ "type": "offer", "to": "bob", "id": 1, "hold_ms": 30_000, "payload": { "sdp": 1e2 } })
    );
}

#[tokio::test]
async fn one_connection_finds_the_answer_to_its_command_among_other_frames() {
    let (options, server) = node(|mut peer| async move {
        let command = peer.json().await;
        peer.text(&message(1, "s2/1")).await;
        peer.text(r#"{"type":"joined","room":"other","version":1,"count":1}"#)
            .await;
        peer.text(r#"{"type":"joined","id":1,"room":"lobby","version":1,"count":1}"#)
            .await;
        (command, peer)
    })
    .await;
    let mut client = Client::connect(&options).await.unwrap();
    let leave = Command::Leave {
        room: "lobby".into(),
        id: Some(client.next_id()),
    };
    let answer = client.request(&leave, SOON).await.unwrap();
    let Event::Joined(joined) = answer else {
        panic!("the fake node answers with joined")
    };
    assert_eq!(joined.room, RoomId::new("lobby").unwrap());
    let (command, _peer) = finished(server).await;
    assert_eq!(command, json!({ "type": "leave", "room": "lobby", "id": 1 }));
}
