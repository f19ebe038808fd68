//! Sessions that outlive their connection, seen from outside: kept, resumed on any node, refused to others,
//! moved by a drain.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{sync::Arc, time::Duration};

use switchboard_auth::Minter;
use switchboard_client::{
    AcksBy, Client, ConnectOptions, Resume, SendReport, Session, SessionEvent, SessionOptions,
};
use switchboard_protocol::{
    Claims, DuplicatePolicy, ErrorCode, Event, MessageKind, ReceiptStatus, Secret, SendOutcome, ServerFrame,
};
use switchboard_testkit::{
    Cluster, FaultProxy, NodeProcess, PATIENCE, SECRET, claims, payload, token, wait_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

fn options(node: &NodeProcess, peer: &str, acks: AcksBy) -> ConnectOptions {
    ConnectOptions {
        acks,
        ..ConnectOptions::new(node.url(), token(peer).unwrap())
    }
}

/// Connects `peer` to `node`, going on with the session of `earlier`.
async fn resume(node: &NodeProcess, peer: &str, acks: AcksBy, earlier: &Client, seen: u64) -> Client {
    let resume = Some(Resume {
        token: earlier.welcome().resume_token.clone(),
        seen,
    });
    let options = ConnectOptions {
        resume,
        ..options(node, peer, acks)
    };
    Client::connect(&options).await.unwrap()
}

async fn send(from: &mut Client, to: &str, json: &str) -> u64 {
    let id = from.next_id();
    from.send(MessageKind::Message, to, Some(id), &payload(json).unwrap())
        .await
        .unwrap();
    id
}

async fn is_queued(client: &mut Client, id: u64) {
    let queued = client.expect(PATIENCE, |frame| match frame {
        ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => Some(*status),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    assert_eq!(queued.await.unwrap(), ReceiptStatus::Queued);
}

async fn text(client: &mut Client) -> String {
    client.message(PATIENCE).await.unwrap().payload.get().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_on_another_node_with_what_its_client_has_not_acknowledged() {
    let cluster = Cluster::start(3).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = Client::connect(&options(&cluster.nodes[1], "bob", AcksBy::Client))
        .await
        .unwrap();
    let ids = [
        send(&mut alice, "bob", "1").await,
        send(&mut alice, "bob", "2").await,
    ];
    assert_eq!(
        (text(&mut bob).await, text(&mut bob).await),
        ("1".into(), "2".into())
    );
    bob.send_text(r#"{"type":"ack","seq":1}"#).await.unwrap();
    assert_eq!(
        alice.outcome_of(ids[0], PATIENCE).await.unwrap(),
        SendReport::delivered()
    );

    // The connection is lost; nobody says good-bye.
    let earlier = bob.welcome().clone();
    drop(bob);
    is_queued(&mut alice, ids[1]).await;
    let third = send(&mut alice, "bob", "3").await;
    is_queued(&mut alice, third).await;
    let resumed = ConnectOptions {
        resume: Some(Resume {
            token: earlier.resume_token.clone(),
            seen: 1,
        }),
        ..options(&cluster.nodes[2], "bob", AcksBy::Client)
    };
    let mut bob = Client::connect(&resumed).await.unwrap();
    let welcome = bob.welcome();
    assert!(welcome.resumed && !welcome.gap, "{welcome:?}");
    assert_eq!(welcome.session, earlier.session);
    assert_eq!(
        (text(&mut bob).await, text(&mut bob).await),
        ("2".into(), "3".into())
    );
    bob.send_text(r#"{"type":"ack","seq":4}"#).await.unwrap();
    for id in [ids[1], third] {
        assert_eq!(
            alice.outcome_of(id, PATIENCE).await.unwrap(),
            SendReport::delivered()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_acknowledgements_a_resume_says_whether_something_was_missed() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    for (peer, seen, gap) in [("bob", 1, false), ("carol", 0, true)] {
        let mut client = cluster.connect(1, peer).await.unwrap();
        send(&mut alice, peer, "1").await;
        text(&mut client).await;
        let again = resume(&cluster.nodes[0], peer, AcksBy::Socket, &client, seen).await;
        assert!(again.welcome().resumed);
        assert_eq!(again.welcome().gap, gap, "{peer}");
        assert_eq!(
            client.closed(PATIENCE).await.unwrap().0,
            1000,
            "the old connection has gone"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_token_is_worth_nothing_to_another_peer_or_after_a_good_bye() {
    let cluster = Cluster::start(2).await.unwrap();
    let bob = cluster.connect(0, "bob").await.unwrap();
    let eve = resume(&cluster.nodes[1], "eve", AcksBy::Socket, &bob, 0).await;
    assert!(!eve.welcome().resumed && eve.welcome().gap);
    assert_ne!(eve.welcome().session, bob.welcome().session);

    let welcome = bob.welcome().clone();
    bob.close().await;
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let id = send(&mut alice, "bob", "1").await;
    let outcome = alice.outcome_of(id, PATIENCE).await.unwrap();
    assert!(
        matches!(outcome.outcome, SendOutcome::Error(ErrorCode::PeerOffline)),
        "{outcome:?}"
    );
    let again = ConnectOptions {
        resume: Some(Resume {
            token: welcome.resume_token,
            seen: 0,
        }),
        ..options(&cluster.nodes[1], "bob", AcksBy::Socket)
    };
    assert!(!Client::connect(&again).await.unwrap().welcome().resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_acknowledges_is_closed_as_too_slow_and_its_senders_hear_of_it() {
    let config = "[session]\nheartbeat_ms = 1000\n[limits]\nsend_queue_messages = 4\n";
    let cluster = Cluster::start_with(2, config).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = Client::connect(&options(&cluster.nodes[1], "bob", AcksBy::Client))
        .await
        .unwrap();
    for number in 0..5 {
        send(&mut alice, "bob", &number.to_string()).await;
    }
    // Both read, and so answer the node's pings.
    let (closed, outcome) = tokio::join!(bob.closed(2 * PATIENCE), alice.outcome_of(5, PATIENCE));
    assert_eq!(closed.unwrap().0, 4508);
    let outcome = outcome.unwrap();
    assert!(
        matches!(outcome.outcome, SendOutcome::Error(ErrorCode::QueueFull)),
        "{outcome:?}"
    );
}

fn rejecting(peer: &str) -> Secret {
    let mut claims: Claims = claims(peer);
    claims.switchboard.duplicate = DuplicatePolicy::Reject;
    let minter = Minter::hs256(&Secret::new(SECRET)).unwrap();
    minter.mint(&claims, Some("switchboard")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_reject_a_living_connection_stays_and_a_dead_one_locks_nobody_out() {
    let cluster = Cluster::start(2).await.unwrap();
    let address = ([127, 0, 0, 1], cluster.nodes[0].public_port()).into();
    let proxy = FaultProxy::start(address).await.unwrap();
    let through = format!("ws://{}/v1/ws", proxy.address());
    let mut first = Client::connect(&ConnectOptions::new(through, rejecting("bob")))
        .await
        .unwrap();
    // A client answers pings while it reads.
    let reading = tokio::spawn(async move {
        let _ = first.next_within(PATIENCE).await;
        first
    });
    let second = ConnectOptions::new(cluster.nodes[1].url(), rejecting("bob"));
    let refused = Client::connect(&second).await.unwrap_err().to_string();
    assert!(refused.contains("duplicate: reject"), "{refused}");
    assert!(!reading.is_finished(), "the first one was not disturbed");

    proxy.freeze_all();
    let taken = Client::connect(&second).await.unwrap();
    assert!(!taken.welcome().resumed);
    reading.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_moves_clients_to_another_node_before_it_closes_anything_and_can_be_taken_back() {
    let cluster = Cluster::start(2).await.unwrap();
    let urls = vec![cluster.nodes[0].url(), cluster.nodes[1].url()];
    let mint = Arc::new(|| token("bob").unwrap());
    let (_session, mut events) = Session::start(SessionOptions::new(urls), mint);
    let on = async |events: &mut tokio::sync::mpsc::Receiver<SessionEvent>| match tokio::time::timeout(
        PATIENCE,
        events.recv(),
    )
    .await
    {
        Ok(Some(SessionEvent::Connected { node, resumed, .. })) => (node.to_string(), resumed),
        other => panic!("{other:?}"),
    };
    assert_eq!(on(&mut events).await, ("n1".into(), false));
    assert_eq!(cluster.nodes[0].post("/drain").await, Some(202));
    // No `Disconnected` in between: the new connection came first.
    assert_eq!(on(&mut events).await, ("n2".into(), true));
    assert_eq!(cluster.nodes[0].status("/readyz").await, Some(503));
    let refused = cluster
        .connect(0, "carol")
        .await
        .err()
        .map(|error| error.to_string());
    assert!(refused.is_some_and(|refused| refused.contains("draining")));

    assert_eq!(cluster.nodes[0].post("/undrain").await, Some(202));
    let ready = async || (cluster.nodes[0].status("/readyz").await == Some(200)).then_some(());
    wait_until("the node serves again", PATIENCE, ready)
        .await
        .unwrap();
    let mut carol = cluster.connect(0, "carol").await.unwrap();
    let id = send(&mut carol, "bob", "1").await;
    assert_eq!(
        carol.outcome_of(id, Duration::from_secs(5)).await.unwrap(),
        SendReport::delivered()
    );
}

/// Leaves a connection with a close frame of this code, or without one.
async fn leave(mut client: Client, code: Option<u16>) {
    let frame = code.map(|code| CloseFrame {
        code: code.into(),
        reason: "".into(),
    });
    client.send_frame(Message::Close(frame)).await.unwrap();
    client.closed(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn only_close_code_1000_ends_a_session() {
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    for (code, is_kept) in [
        (None, true),
        (Some(1001), true),
        (Some(1011), true),
        (Some(3000), true),
        (Some(4999), true),
        (Some(1000), false),
    ] {
        let bob = Client::connect(&options(node, "bob", AcksBy::Client))
            .await
            .unwrap();
        let resume_token = bob.welcome().resume_token.clone();
        leave(bob, code).await;
        let again = ConnectOptions {
            resume: Some(Resume {
                token: resume_token,
                seen: 0,
            }),
            ..options(node, "bob", AcksBy::Client)
        };
        let again = Client::connect(&again).await.unwrap();
        assert_eq!(again.welcome().resumed, is_kept, "{code:?}");
        again.close().await;
    }
}

#[tokio::test]
async fn the_session_of_a_page_that_was_left_ends_after_the_away_window() {
    let cluster = Cluster::start_with(1, "[session]\naway_window_s = 1\n")
        .await
        .unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let bob = cluster.connect(0, "bob").await.unwrap();
    leave(bob, Some(1001)).await;
    let id = send(&mut alice, "bob", "1").await;
    is_queued(&mut alice, id).await;
    let outcome = alice.outcome_of(id, PATIENCE).await.unwrap().outcome;
    assert_eq!(outcome, SendOutcome::Error(ErrorCode::Expired));
}

#[tokio::test]
async fn an_attempt_given_up_before_welcome_changes_nothing_of_the_session_it_wanted() {
    // A client's close frame without a code, and with 1000 and 1001, masked with zeros.
    let closes: [&[u8]; 3] = [
        &[0x88, 0x80, 0, 0, 0, 0],
        &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8],
        &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9],
    ];
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let first = cluster.connect(0, "bob").await.unwrap();
    let resume_token = first.welcome().resume_token.clone();
    drop(first);
    let detached = async || (node.metric("switchboard_sessions").await == Some(1.0)).then_some(());
    wait_until("bob is detached", PATIENCE, detached).await.unwrap();
    let id = send(&mut alice, "bob", "1").await;
    is_queued(&mut alice, id).await;
    for close in closes {
        // The close frame is there before the node can say welcome.
        let head = format!(
            "GET /v1/ws?resume={}&seen=0 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: switchboard.v1\r\nAuthorization: Bearer {token}\r\n\r\n",
            resume_token.expose(),
            port = node.public_port(),
            token = token("bob").unwrap().expose(),
        );
        let mut given_up = TcpStream::connect(("127.0.0.1", node.public_port()))
            .await
            .unwrap();
        given_up
            .write_all(&[head.as_bytes(), close].concat())
            .await
            .unwrap();
        let mut answer = Vec::new();
        let hung_up = given_up.read_to_end(&mut answer);
        tokio::time::timeout(PATIENCE, hung_up).await.unwrap().unwrap();
        assert!(
            answer.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    let again = ConnectOptions {
        resume: Some(Resume {
            token: resume_token,
            seen: 0,
        }),
        ..options(node, "bob", AcksBy::Socket)
    };
    let mut again = Client::connect(&again).await.unwrap();
    assert!(again.welcome().resumed && !again.welcome().gap);
    assert_eq!(text(&mut again).await, "1");
    assert_eq!(
        alice.outcome_of(id, PATIENCE).await.unwrap(),
        SendReport::delivered()
    );
}

#[tokio::test]
async fn a_message_over_the_limit_costs_itself_and_nothing_that_waits() {
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    bob.send_frame(Message::Close(None)).await.unwrap();
    bob.closed(PATIENCE).await.unwrap();
    let waiting = send(&mut alice, "bob", "1").await;
    is_queued(&mut alice, waiting).await;
    let huge = payload(format!("\"{}\"", "x".repeat(70_000))).unwrap();
    let refused = alice.send(MessageKind::Message, "bob", Some(3), &huge);
    refused.await.unwrap();
    let report = alice.outcome_of(3, PATIENCE).await.unwrap();
    assert_eq!(report.outcome, SendOutcome::Error(ErrorCode::PayloadTooLarge));
    // The connection stays, and a resume finds everything.
    let mut alice = resume(node, "alice", AcksBy::Socket, &alice, 0).await;
    assert!(alice.welcome().resumed);
    let mut bob = resume(node, "bob", AcksBy::Socket, &bob, 0).await;
    assert!(bob.welcome().resumed);
    assert_eq!(text(&mut bob).await, "1");
    let outcome = alice.outcome_of(waiting, PATIENCE).await.unwrap();
    assert_eq!(outcome, SendReport::delivered());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_before_a_violation_has_its_outcome_after_the_resume() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    bob.send_frame(Message::Close(None)).await.unwrap();
    bob.closed(PATIENCE).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let id = send(&mut alice, "bob", "1").await;
    is_queued(&mut alice, id).await;
    for _ in 0..10 {
        alice.send_text("{").await.unwrap();
    }
    assert_eq!(alice.closed(PATIENCE).await.unwrap().0, 4400);
    let mut again = resume(&cluster.nodes[0], "alice", AcksBy::Socket, &alice, 0).await;
    assert!(again.welcome().resumed);
    again
        .send(MessageKind::Message, "bob", Some(id), &payload("1").unwrap())
        .await
        .unwrap();
    let _bob = resume(&cluster.nodes[0], "bob", AcksBy::Socket, &bob, 0).await;
    assert!(again.outcome_of(id, PATIENCE).await.unwrap().is_delivered());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_has_a_bounded_number_of_connections_and_a_replaced_one_returns_its_place() {
    let cluster = Cluster::start_with(1, "[limits]\nconnections_per_peer = 2\n")
        .await
        .unwrap();
    let mut latest = cluster.connect(0, "bob").await.unwrap();
    for _ in 0..20 {
        let newer = cluster.connect(0, "bob").await.unwrap();
        assert_eq!(latest.closed(PATIENCE).await.unwrap().0, 4409);
        latest = newer;
    }
}
