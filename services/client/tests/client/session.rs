//! What a session promises about sends and messages: one final word for each send, each message once.

use futures_util::{FutureExt as _, SinkExt as _};
use serde_json::value::RawValue;
use switchboard_client::SessionError;
use switchboard_protocol::MessageKind;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    server::{Peer, delivered, message},
    stage::{Stage, frame, nodes, payload, soon},
};

#[tokio::test]
async fn unfinished_sends_are_repeated_in_order_with_their_ids_by_the_resumed_session() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    for id in 1..=3 {
        assert_eq!(stage.send().await, id);
        assert_eq!(frame(&mut peer).await, format!("send {id}"));
    }
    peer.text(&message(7, "s2/1")).await;
    assert_eq!(stage.event().await, "message s2/1");
    assert_eq!(frame(&mut peer).await, "ack 7");
    peer.text(&delivered(2)).await;
    assert_eq!(stage.event().await, "delivered 2");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    assert_eq!(stage.send().await, 4);

    let mut peer = soon(Peer::accept(&listener)).await;
    assert_eq!(peer.uri.query(), Some("acks=client&resume=t1&seen=7"));
    peer.welcome("n2", true, "t2").await;
    assert_eq!(stage.event().await, "connected n2 resumed:true");
    for id in [1, 3, 4] {
        assert_eq!(frame(&mut peer).await, format!("send {id}"));
        peer.text(&delivered(id)).await;
        assert_eq!(stage.event().await, format!("delivered {id}"));
    }
    drop(peer);
    let peer = soon(Peer::accept(&listener)).await;
    // This connection handed nothing over: what it was told still counts.
    assert_eq!(peer.uri.query(), Some("acks=client&resume=t2&seen=7"));
}

#[tokio::test]
async fn a_message_that_the_node_repeats_is_handed_over_once_and_acknowledged_twice() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    peer.text(&message(1, "s2/1")).await;
    assert_eq!(stage.event().await, "message s2/1");
    assert_eq!(frame(&mut peer).await, "ack 1");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");

    let mut peer = soon(Peer::accept(&listener)).await;
    peer.welcome("n1", true, "t1").await;
    assert_eq!(stage.event().await, "connected n1 resumed:true");
    peer.text(&message(2, "s2/1")).await;
    assert_eq!(frame(&mut peer).await, "ack 2");
    peer.text(&message(3, "s2/2")).await;
    assert_eq!(stage.event().await, "message s2/2");
    assert_eq!(frame(&mut peer).await, "ack 3");
}

/// Messages that reach the client in one piece.
async fn burst(peer: &mut Peer, count: u64) {
    for seq in 1..=count {
        let text = message(seq, &format!("s2/{seq}"));
        peer.socket.feed(Message::text(text)).await.unwrap();
    }
    peer.socket.flush().await.unwrap();
}

#[tokio::test]
async fn frames_that_were_readable_together_are_acknowledged_together() {
    let ([listener], options) = nodes().await;
    let (_stage, mut peer) = Stage::connected(options, &listener).await;
    burst(&mut peer, 50).await;
    let mut acks = Vec::new();
    while acks.last().is_none_or(|last| last != "ack 50") {
        acks.push(frame(&mut peer).await);
    }
    // One, unless the machine is so slow that the time limit comes between.
    assert!(acks.len() < 10, "{acks:?}");
}

#[tokio::test]
async fn no_acknowledgement_comes_before_its_message_is_handed_over() {
    let ([listener], mut options) = nodes().await;
    options.events = 1;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    burst(&mut peer, 20).await;
    for taken in 1..=19 {
        assert_eq!(stage.event().await, format!("message s2/{taken}"));
        // By the time the node has this, an acknowledgement that is too early would have come as well.
        let mark = format!("send {}", stage.send().await);
        loop {
            let got = frame(&mut peer).await;
            if got == mark {
                break;
            }
            let acked: u64 = got.strip_prefix("ack ").unwrap().parse().unwrap();
            assert!(acked <= taken + 1, "{acked} with {taken} taken and room for one");
        }
    }
    assert_eq!(stage.event().await, "message s2/20");
    while frame(&mut peer).await != "ack 20" {}
}

#[tokio::test]
async fn a_full_event_channel_does_not_keep_sends_from_being_written() {
    let ([listener], mut options) = nodes().await;
    options.events = 1;
    let (stage, mut peer) = Stage::connected(options, &listener).await;
    burst(&mut peer, 3).await;
    assert_eq!(frame(&mut peer).await, "ack 1", "the one that has room");
    stage.send().await;
    assert_eq!(frame(&mut peer).await, "send 1");
}

#[tokio::test]
async fn nothing_is_lost_or_reordered_while_both_sides_write_more_than_the_sockets_hold() {
    const COUNT: u64 = 2000;
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    let large = RawValue::from_string(format!("\"{}\"", "x".repeat(8192))).unwrap();
    for _ in 0..COUNT {
        let sent = stage.session.send(MessageKind::Message, "bob", large.clone());
        soon(sent).await.unwrap();
    }
    let node = async {
        // Not reading meanwhile: the client's writes are stuck, its reading must not be.
        for seq in 1..=COUNT {
            let text = message(seq, &format!("s2/{seq}"));
            peer.text(&text.replace(r#""payload":"#, &format!(r#""payload":{large},"more":"#)))
                .await;
        }
        let (mut ids, mut acked) = (0, 0);
        while ids < COUNT || acked < COUNT {
            let frame = soon(peer.json()).await;
            match frame["seq"].as_u64() {
                Some(seq) => {
                    assert!(seq > acked, "{seq} after {acked}");
                    acked = seq;
                }
                None => {
                    ids += 1;
                    assert_eq!(frame["id"], ids);
                }
            }
        }
    };
    let application = async {
        for seq in 1..=COUNT {
            assert_eq!(stage.event().await, format!("message s2/{seq}"));
        }
    };
    tokio::join!(node, application);
}

#[tokio::test]
async fn a_lost_session_ends_what_was_sent_with_a_word_and_sends_the_rest() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    assert_eq!(stage.send().await, 1);
    assert_eq!(frame(&mut peer).await, "send 1");
    peer.text(&message(5, "s2/1")).await;
    assert_eq!(stage.event().await, "message s2/1");
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    assert_eq!(stage.send().await, 2);
    let mut peer = soon(Peer::accept(&listener)).await;
    peer.welcome("n1", false, "t2").await;
    assert_eq!(stage.event().await, "connected n1 resumed:false");
    assert_eq!(stage.event().await, "failed 1 timeout");
    assert_eq!(frame(&mut peer).await, "send 2");
    // The new session's numbers begin again.
    drop(peer);
    let peer = soon(Peer::accept(&listener)).await;
    assert_eq!(peer.uri.query(), Some("acks=client&resume=t2&seen=0"));
}

#[tokio::test]
async fn each_send_has_one_final_word_even_if_the_node_says_two() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    for id in 1..=2 {
        stage.send().await;
        assert_eq!(frame(&mut peer).await, format!("send {id}"));
    }
    let failed = r#"{"type":"error","id":1,"code":"peer-offline","message":"nobody"}"#;
    for text in [failed, &delivered(1), failed, &delivered(9), &delivered(2)] {
        peer.text(text).await;
    }
    assert_eq!(stage.event().await, "failed 1 peer-offline");
    assert_eq!(stage.event().await, "delivered 2");
}

#[tokio::test]
async fn a_send_that_waits_for_its_receiver_is_told_once_and_is_not_finished() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    stage.send().await;
    for _ in 0..2 {
        peer.text(r#"{"type":"receipt","id":1,"status":"queued"}"#).await;
    }
    peer.text(&delivered(1)).await;
    assert_eq!(stage.event().await, "queued 1");
    assert_eq!(stage.event().await, "delivered 1");
}

#[tokio::test]
async fn send_waits_while_the_most_allowed_are_unfinished() {
    let ([listener], mut options) = nodes().await;
    options.pending_messages = 1;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    stage.send().await;
    assert_eq!(frame(&mut peer).await, "send 1");
    let mut second = Box::pin(stage.session.send(MessageKind::Message, "bob", payload()));
    assert!(second.as_mut().now_or_never().is_none(), "there is no room yet");
    peer.text(&delivered(1)).await;
    assert_eq!(soon(second).await, Ok(2));
    assert_eq!(stage.event().await, "delivered 1");
    assert_eq!(frame(&mut peer).await, "send 2");
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_ends_with_a_whole_handshake() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    stage.send().await;
    stage.send().await;
    let node = async {
        assert_eq!(frame(&mut peer).await, "send 1");
        assert_eq!(frame(&mut peer).await, "send 2");
        peer.text(&delivered(1)).await;
        peer.close_code().await
    };
    let (code, ()) = soon(async { tokio::join!(node, stage.session.close()) }).await;
    assert_eq!(code, Some(1005), "a close frame without a code");
    let mut told = Vec::new();
    while let Some(event) = stage.events.recv().await {
        told.push(format!("{event:?}"));
    }
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, expected) in
        told.iter()
            .zip(["id: 1, outcome: Delivered", "code: Timeout", "Ended { code: 1000"])
    {
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn a_close_code_that_says_stop_ends_the_session_and_finishes_every_send() {
    for code in [1000, 1003, 4400, 4403, 4409] {
        let ([listener], options) = nodes().await;
        let (mut stage, mut peer) = Stage::connected(options, &listener).await;
        stage.send().await;
        assert_eq!(frame(&mut peer).await, "send 1");
        peer.close(code, "stop").await;
        assert_eq!(stage.event().await, "failed 1 timeout", "{code}");
        assert_eq!(stage.event().await, format!("ended {code}"));
        assert_eq!(stage.event().await, "nothing more");
        assert_eq!(soon(peer.close_code()).await, Some(code), "the client's answer");
        let late = soon(stage.session.send(MessageKind::Message, "bob", payload())).await;
        assert_eq!(late, Err(SessionError::Ended));
    }
}

#[tokio::test]
async fn dropping_the_handle_ends_the_session() {
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    drop(stage.session);
    assert!(soon(stage.events.recv()).await.is_none());
    assert_eq!(
        soon(peer.close_code()).await,
        None,
        "to its node it is a lost connection"
    );
}

#[tokio::test]
async fn dropping_the_receiver_closes_the_session() {
    let ([listener], options) = nodes().await;
    let (stage, mut peer) = Stage::connected(options, &listener).await;
    drop(stage.events);
    assert_eq!(soon(peer.close_code()).await, Some(1005));
}
