//! How a session goes from one connection to the next: after a loss, a refusal, a close code, a `goaway`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::header;
use switchboard_client::{Backoff, Session};
use switchboard_protocol::Secret;

use crate::{
    server::{Peer, WELCOME, delivered, message, refuse},
    stage::{Stage, frame, nodes, soon},
};

const GOAWAY: &str = r#"{"type":"goaway","reason":"draining","reconnect_after_ms":0}"#;

#[tokio::test]
async fn on_goaway_the_new_connection_opens_first_and_the_old_messages_precede_its_own() {
    let ([a, b], options) = nodes().await;
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    stage.send().await;
    assert_eq!(frame(&mut old).await, "send 1");
    old.text(&message(1, "s2/1")).await;
    assert_eq!(stage.event().await, "message s2/1");
    assert_eq!(frame(&mut old).await, "ack 1");

    old.text(GOAWAY).await;
    let mut new = soon(Peer::accept(&b)).await;
    assert_eq!(new.uri.query(), Some("acks=client&resume=t1&seen=1"));
    // Not welcome yet: the old connection is still the one.
    stage.send().await;
    assert_eq!(frame(&mut old).await, "send 2");
    new.welcome("n2", true, "t2").await;
    new.text(&message(3, "s2/3")).await;
    old.text(&message(2, "s2/2")).await;
    old.text(&delivered(1)).await;
    old.close(4409, "replaced").await;

    assert_eq!(stage.event().await, "message s2/2");
    assert_eq!(stage.event().await, "delivered 1");
    assert_eq!(stage.event().await, "connected n2 resumed:true");
    assert_eq!(stage.event().await, "message s2/3");
    let mut frames = [frame(&mut new).await, frame(&mut new).await];
    frames.sort_unstable();
    assert_eq!(frames, ["ack 3", "send 2"]);
}

#[tokio::test]
async fn an_old_connection_that_closes_before_the_welcome_is_no_loss() {
    let ([a, b], options) = nodes().await;
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.text(GOAWAY).await;
    let mut new = soon(Peer::accept(&b)).await;
    old.text(&message(1, "s2/1")).await;
    old.close(4409, "replaced").await;
    assert_eq!(stage.event().await, "message s2/1");
    assert_eq!(soon(old.close_code()).await, Some(4409), "the client's answer");
    assert_eq!(stage.send().await, 1);
    new.welcome("n2", true, "t2").await;
    assert_eq!(stage.event().await, "connected n2 resumed:true");
    assert_eq!(frame(&mut new).await, "send 1");
}

#[tokio::test]
async fn an_old_node_that_does_not_close_delays_the_new_connection_for_a_bounded_time() {
    let ([a, b], options) = nodes().await;
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.text(GOAWAY).await;
    let mut new = soon(Peer::accept(&b)).await;
    new.welcome("n2", true, "t2").await;
    assert_eq!(stage.event().await, "connected n2 resumed:true");
    assert_eq!(
        soon(old.close_code()).await,
        None,
        "it ends without a close frame"
    );
}

#[tokio::test]
async fn late_messages_of_an_older_connection_are_not_seen_for_the_next_node() {
    let ([a, b, c], mut options) = nodes().await;
    options.events = 1;
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.text(GOAWAY).await;
    old.text(&message(1, "s2/1")).await;
    // The event channel has no room for it until the first is taken, so it is delivered after the move.
    old.text(&message(2, "s2/2")).await;
    let mut new = soon(Peer::accept(&b)).await;
    let query = new.uri.query().unwrap().to_owned();
    new.welcome("n2", true, "t1").await;
    assert_eq!(soon(old.close_code()).await, None, "its time is over");
    for expected in ["message s2/1", "message s2/2", "connected n2 resumed:true"] {
        assert_eq!(stage.event().await, expected);
    }
    drop(new);
    let next = soon(Peer::accept(&c)).await;
    assert_eq!(next.uri.query(), Some(query.as_str()));
    assert!(!query.ends_with("seen=2"), "{query}");
}

#[tokio::test]
async fn an_attempt_to_move_that_fails_leaves_the_old_connection_in_use_and_is_repeated() {
    let ([a, b, c], options) = nodes().await;
    drop(b);
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.text(GOAWAY).await;
    let mut new = soon(Peer::accept(&c)).await;
    stage.send().await;
    assert_eq!(frame(&mut old).await, "send 1");
    old.text(&delivered(1)).await;
    assert_eq!(stage.event().await, "delivered 1");
    new.welcome("n3", true, "t2").await;
    old.close(1012, "moved").await;
    assert_eq!(stage.event().await, "connected n3 resumed:true");
}

#[tokio::test]
async fn being_kicked_during_a_move_is_the_end() {
    let ([a, b], options) = nodes().await;
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.text(GOAWAY).await;
    let _new = soon(Peer::accept(&b)).await;
    old.close(4403, "kicked").await;
    assert_eq!(stage.event().await, "ended 4403");
}

#[tokio::test]
async fn a_restarting_node_is_left_for_the_next_without_a_wait() {
    let ([a, b], mut options) = nodes().await;
    options.backoff = Backoff::new(Duration::from_secs(36_000), Duration::from_secs(36_000));
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.close(1012, "restarting").await;
    assert_eq!(stage.event().await, "disconnected");
    let new = soon(Peer::accept(&b)).await;
    assert_eq!(new.uri.query(), Some("acks=client&resume=t1&seen=0"));
}

#[tokio::test]
async fn an_ended_token_is_replaced_by_a_new_one_and_the_session_resumed() {
    let ([listener], options) = nodes().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let source = {
        let asked = Arc::clone(&asked);
        Arc::new(move || Secret::new(format!("token-{}", asked.fetch_add(1, Ordering::Relaxed))))
    };
    let (_session, _events) = Session::start(options, source);
    let mut peer = soon(Peer::accept(&listener)).await;
    assert_eq!(peer.headers[header::AUTHORIZATION], "Bearer token-0");
    peer.welcome("n1", false, "t1").await;
    peer.close(4401, "token ended").await;
    let peer = soon(Peer::accept(&listener)).await;
    assert_eq!(peer.headers[header::AUTHORIZATION], "Bearer token-1");
    assert_eq!(peer.uri.query(), Some("acks=client&resume=t1&seen=0"));
}

#[tokio::test]
async fn a_refused_token_ends_the_session() {
    for (status, code) in [("401 Unauthorized", 401), ("403 Forbidden", 403)] {
        let ([listener], options) = nodes().await;
        let mut stage = Stage::start(options);
        stage.send().await;
        soon(refuse(&listener, status, "{}")).await;
        assert_eq!(stage.event().await, "failed 1 timeout");
        assert_eq!(stage.event().await, format!("ended {code}"));
    }
}

#[tokio::test]
async fn an_overloaded_node_and_one_that_cannot_be_reached_are_passed_over() {
    let ([a, b, c], options) = nodes().await;
    drop(b);
    let mut stage = Stage::start(options);
    soon(refuse(&a, "503 Service Unavailable", "{}")).await;
    let mut peer = soon(Peer::accept(&c)).await;
    assert_eq!(peer.uri.query(), Some("acks=client"));
    peer.welcome("n3", false, "t1").await;
    for expected in ["disconnected", "disconnected", "connected n3 resumed:false"] {
        assert_eq!(stage.event().await, expected);
    }
}

#[tokio::test]
async fn connected_carries_the_welcome_and_the_url_without_its_secrets() {
    let ([listener], options) = nodes().await;
    let url = options.urls[0].clone();
    let (mut stage, peer) = Stage::connected(options, &listener).await;
    drop(peer);
    assert_eq!(stage.event().await, "disconnected");
    let mut peer = soon(Peer::accept(&listener)).await;
    peer.text(&WELCOME.replace(r#""gap":false"#, r#""gap":true"#))
        .await;
    let event = format!("{:?}", soon(stage.events.recv()).await.unwrap());
    let expected = format!("Connected {{ node: \"n1\", resumed: false, gap: true, url: \"{url}\", handshake");
    assert!(event.starts_with(&expected), "{event}");
}

#[tokio::test]
async fn a_session_without_a_connection_can_be_closed() {
    let ([listener], options) = nodes().await;
    drop(listener);
    let mut stage = Stage::start(options);
    assert_eq!(stage.event().await, "disconnected");
    stage.send().await;
    soon(stage.session.close()).await;
    let mut last = Vec::new();
    while let Some(event) = stage.events.recv().await {
        last.push(format!("{event:?}"));
    }
    let [.., outcome, ended] = last.as_slice() else {
        panic!("{last:?}")
    };
    assert!(
        outcome.contains("id: 1, report: SendReport { outcome: Error"),
        "{outcome}"
    );
    assert!(ended.contains("Ended { code: 1000"), "{ended}");
}

#[tokio::test]
async fn a_session_without_a_connection_is_given_up_after_the_time_set() {
    let ([listener], mut options) = nodes().await;
    drop(listener);
    options.give_up_after = Some(Duration::from_millis(50));
    let mut stage = Stage::start(options);
    let mut event = stage.event().await;
    while event == "disconnected" {
        event = stage.event().await;
    }
    assert_eq!(event, "ended 1006");
}

#[tokio::test]
async fn a_node_that_falls_silent_is_left() {
    let ([listener], options) = nodes().await;
    let mut stage = Stage::start(options);
    let mut silent = soon(Peer::accept(&listener)).await;
    silent.text(&WELCOME.replace("25000", "20")).await;
    assert_eq!(stage.event().await, "connected n1 resumed:false");
    assert_eq!(stage.event().await, "disconnected");
    soon(Peer::accept(&listener)).await;
}

/// A frozen node keeps requests whose clients gave up, and takes their peers over when it continues. The sessions
/// saw 4409 on newer connections, and ended.
#[tokio::test]
async fn a_takeover_after_an_unanswered_attempt_does_not_end_the_session() {
    let ([a, b], mut options) = nodes().await;
    options.connect.timeout = Duration::from_millis(100);
    let (mut stage, mut old) = Stage::connected(options, &a).await;
    old.close(1012, "restart").await;
    // The next node accepts the connection and stays silent.
    let _frozen = soon(b.accept()).await.unwrap();
    let mut new = soon(Peer::accept(&a)).await;
    new.welcome("n1", true, "t2").await;
    assert_eq!(stage.event().await, "disconnected");
    assert_eq!(stage.event().await, "disconnected");
    assert_eq!(stage.event().await, "connected n1 resumed:true");
    new.close(4409, "replaced").await;
    assert_eq!(stage.event().await, "disconnected");
}
