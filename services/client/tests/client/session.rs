//! The promises of a session: one outcome for each send, and each message once.

use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, SinkExt as _};
use serde_json::value::RawValue;
use switchboard_client::SessionError;
use switchboard_protocol::MessageKind;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    server::{Peer, delivered, message, refuse},
    stage::{Stage, frame, nodes, payload, soon},
};

#[tokio::test]
async fn a_resumed_session_repeats_pending_sends_in_order_with_their_ids() {
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
    // This connection brought no message, so the `seen` of its request still counts.
    assert_eq!(peer.uri.query(), Some("acks=client&resume=t2&seen=7"));
}

#[tokio::test]
async fn a_repeated_message_is_delivered_once_and_acknowledged_twice() {
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
async fn no_acknowledgement_precedes_the_delivery_of_its_message() {
    let ([listener], mut options) = nodes().await;
    options.events = 1;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    burst(&mut peer, 20).await;
    for taken in 1..=19 {
        assert_eq!(stage.event().await, format!("message s2/{taken}"));
        // An acknowledgement that is too early would arrive before this send.
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
        // The node does not read, so the client's writes block. Its reads must not.
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
async fn a_lost_session_fails_transmitted_sends_and_sends_the_others() {
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
async fn each_send_has_one_outcome_even_if_the_node_reports_two() {
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
async fn queued_is_reported_once_and_is_not_final() {
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
async fn send_waits_while_the_maximum_of_sends_is_pending() {
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
async fn closing_writes_accepted_sends_and_ends_with_a_complete_handshake() {
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
    assert_eq!(code, Some(1000), "the session ends");
    let mut events = Vec::new();
    while let Some(event) = stage.events.recv().await {
        events.push(format!("{event:?}"));
    }
    assert_eq!(events.len(), 3, "{events:?}");
    for (event, expected) in events.iter().zip([
        "id: 1, report: SendReport { outcome: Delivered",
        "Error(Timeout)",
        "Ended { code: 1000",
    ]) {
        assert!(event.contains(expected), "{event}");
    }
}

#[tokio::test]
async fn a_close_code_that_says_stop_ends_the_session_and_finishes_every_send() {
    for code in [1000, 1001, 1003, 1007, 1009, 4400, 4403, 4409] {
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
async fn a_close_code_that_says_resume_keeps_the_session_and_its_unfinished_sends() {
    for code in [1002, 1006, 1011, 1012, 1013, 4401, 4408, 4429, 4508, 4999] {
        let ([listener], options) = nodes().await;
        let (mut stage, mut peer) = Stage::connected(options, &listener).await;
        stage.send().await;
        assert_eq!(frame(&mut peer).await, "send 1");
        match code {
            // No close frame has this code: the connection is lost.
            1006 => drop(peer),
            code => peer.close(code, "come back").await,
        }
        assert_eq!(stage.event().await, "disconnected", "{code}");
        let mut peer = soon(Peer::accept(&listener)).await;
        let query = peer.uri.query().unwrap().to_owned();
        assert!(query.contains("resume=t1"), "{code}: {query}");
        peer.welcome("n1", true, "t2").await;
        assert_eq!(stage.event().await, "connected n1 resumed:true");
        assert_eq!(frame(&mut peer).await, "send 1", "{code}");
        peer.text(&delivered(1)).await;
        assert_eq!(stage.event().await, "delivered 1");
    }
}

#[tokio::test]
async fn the_wait_that_a_close_or_a_refusal_names_passes_before_the_next_attempt() {
    const WAIT: Duration = Duration::from_millis(300);
    let ([listener], options) = nodes().await;
    let (mut stage, mut peer) = Stage::connected(options, &listener).await;
    peer.close(4429, "too fast; retry_after_ms=300").await;
    assert_eq!(stage.event().await, "disconnected");
    let start = Instant::now();
    soon(refuse(
        &listener,
        "503 Service Unavailable\r\nRetry-After: 1",
        "{}",
    ))
    .await;
    assert!(start.elapsed() >= WAIT, "{:?}", start.elapsed());
    assert_eq!(stage.event().await, "disconnected");
    let start = Instant::now();
    soon(Peer::accept(&listener)).await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_is_refused_by_one_node_does_not_wait_before_it_tries_another() {
    let ([first, second], options) = nodes().await;
    let _stage = Stage::start(options);
    let start = Instant::now();
    soon(refuse(&first, "503 Service Unavailable\r\nRetry-After: 4", "{}")).await;
    soon(Peer::accept(&second)).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_resume_that_no_node_can_read_is_not_asked_for_again() {
    let ([listener], options) = nodes().await;
    let (mut stage, peer) = Stage::connected(options, &listener).await;
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    soon(refuse(&listener, "400 Bad Request", "{}")).await;
    assert_eq!(stage.event().await, "disconnected");
    let mut peer = soon(Peer::accept(&listener)).await;
    assert_eq!(peer.uri.query(), Some("acks=client"));
    peer.welcome("n1", false, "t2").await;
    assert_eq!(stage.event().await, "connected n1 resumed:false");
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
        "the node sees a lost connection"
    );
}

#[tokio::test]
async fn dropping_the_receiver_closes_the_session() {
    let ([listener], options) = nodes().await;
    let (stage, mut peer) = Stage::connected(options, &listener).await;
    drop(stage.events);
    assert_eq!(soon(peer.close_code()).await, Some(1000));
}
