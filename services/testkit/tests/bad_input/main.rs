//! Whatever a client sends: a clear answer, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod floods;
mod slow;

use std::{net::Ipv4Addr, time::Duration};

use switchboard_client::{Client, SendReport};
use switchboard_protocol::{ErrorCode, Event, MessageKind, ServerFrame};
use switchboard_testkit::{
    Cluster, NodeProcess, PATIENCE, payload,
    raw::{Raw, RawOptions},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::frame::{
        Frame, FrameHeader,
        coding::{Control, Data, OpCode},
    },
};

/// A connection that nothing answers pings on, with a receive buffer of this size if given.
async fn raw(node: &NodeProcess, peer: &str, receive_bytes: Option<u32>) -> Raw {
    let mut options = RawOptions::new(node.public_port(), Ipv4Addr::LOCALHOST.into(), peer);
    options.receive_bytes = receive_bytes;
    Raw::connect(&options).await.unwrap()
}

/// A node with a client that misbehaves and a pair that must not notice.
struct Scene {
    cluster: Cluster,
    rogue: Client,
    bystanders: (Client, Client),
}

impl Scene {
    async fn set(more: &str) -> Self {
        let cluster = Cluster::start_with(1, more).await.unwrap();
        let rogue = cluster.connect(0, "rogue").await.unwrap();
        let bystanders = (
            cluster.connect(0, "carol").await.unwrap(),
            cluster.connect(0, "dave").await.unwrap(),
        );
        Self {
            cluster,
            rogue,
            bystanders,
        }
    }

    async fn error(&mut self) -> (Option<u64>, ErrorCode) {
        let error = self.rogue.expect(PATIENCE, |frame| match frame {
            ServerFrame::Event(Event::Error { id, code, .. }) => Some((*id, *code)),
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        });
        error.await.unwrap()
    }

    async fn closed_with(mut self, code: u16) {
        assert_eq!(self.rogue.closed(PATIENCE).await.unwrap().0, code);
        self.nobody_noticed().await;
    }

    async fn nobody_noticed(mut self) {
        let (carol, dave) = (&mut self.bystanders.0, &mut self.bystanders.1);
        let outcome = carol
            .send_and_confirm(MessageKind::Offer, "dave", &payload("1").unwrap(), PATIENCE)
            .await;
        assert_eq!(outcome.unwrap(), SendReport::delivered());
        assert_eq!(dave.message(PATIENCE).await.unwrap().from, "carol");
        assert_eq!(self.cluster.nodes[0].status("/livez").await, Some(200));
        assert!(
            !self.cluster.nodes[0].log().contains("panicked"),
            "{}",
            self.cluster.nodes[0].log()
        );
    }
}

#[tokio::test]
async fn frames_that_are_no_commands_are_answered_one_by_one() {
    let mut scene = Scene::set("").await;
    let deep = format!(
        "{{\"type\":\"offer\",\"to\":\"x\",\"payload\":{}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let long_name = format!(
        "{{\"type\":\"offer\",\"to\":\"{}\",\"payload\":1,\"id\":2}}",
        "x".repeat(129)
    );
    let cases = [
        ("{\"type\":\"offer\",\"to\":", None, ErrorCode::BadFrame),
        ("", None, ErrorCode::BadFrame),
        ("null", None, ErrorCode::BadFrame),
        (deep.as_str(), None, ErrorCode::BadFrame),
        (
            "{\"type\":\"teleport\",\"id\":7}",
            Some(7),
            ErrorCode::UnknownType,
        ),
        (
            "{\"type\":\"offer\",\"to\":[],\"payload\":1,\"id\":8}",
            Some(8),
            ErrorCode::BadFrame,
        ),
        (
            "{\"type\":\"offer\",\"payload\":1,\"id\":9}",
            Some(9),
            ErrorCode::MissingField,
        ),
        (
            "{\"type\":\"offer\",\"to\":\"a/b\",\"payload\":1,\"id\":1}",
            Some(1),
            ErrorCode::BadId,
        ),
        (long_name.as_str(), Some(2), ErrorCode::BadId),
        (
            "{\"type\":\"offer\",\"to\":\"dave\",\"payload\":1,\"id\":2}",
            Some(2),
            ErrorCode::BadFrame,
        ),
        (
            r#"{"type":"join","room":"a/b","id":10}"#,
            Some(10),
            ErrorCode::BadId,
        ),
        (r#"{"type":"join","id":11}"#, Some(11), ErrorCode::MissingField),
        (
            r#"{"type":"join","room":"r","info":[],"id":12}"#,
            Some(12),
            ErrorCode::BadFrame,
        ),
        (r#"{"type":"leave","id":13}"#, Some(13), ErrorCode::MissingField),
        (
            r#"{"type":"watch","peers":"dave","id":14}"#,
            Some(14),
            ErrorCode::BadFrame,
        ),
        (r#"{"type":"lookup","id":15}"#, Some(15), ErrorCode::MissingField),
        (
            r#"{"type":"message","to":"dave","room":"r","payload":1,"id":16}"#,
            Some(16),
            ErrorCode::BadFrame,
        ),
        (
            r#"{"type":"message","room":"r","hold_ms":1,"payload":1,"id":17}"#,
            Some(17),
            ErrorCode::BadFrame,
        ),
        (
            r#"{"type":"message","room":"r","payload":1,"id":18}"#,
            Some(18),
            ErrorCode::NotInRoom,
        ),
    ];
    for (text, id, code) in cases {
        scene.rogue.send_text(text).await.unwrap();
        assert_eq!(
            scene.error().await,
            (id, code),
            "{}",
            text.get(..60).unwrap_or(text)
        );
        // A good frame in between: only ten bad ones in a row are too many.
        scene.rogue.send_text("{\"type\":\"ping\"}").await.unwrap();
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn ten_bad_frames_in_a_row_close_the_connection() {
    let mut scene = Scene::set("").await;
    for _ in 0..10 {
        scene.rogue.send_text("{").await.unwrap();
    }
    scene.closed_with(4400).await;
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let mut scene = Scene::set("").await;
    scene
        .rogue
        .send_frame(Message::binary(vec![1, 2, 3]))
        .await
        .unwrap();
    scene.closed_with(1003).await;
}

#[tokio::test]
async fn text_that_is_not_utf8_closes_with_1007() {
    let mut scene = Scene::set("").await;
    let frame = Frame::message(
        Bytes::from_static(b"{\"type\":\"\xff\xfe\"}"),
        OpCode::Data(Data::Text),
        true,
    );
    scene.rogue.send_frame(Message::Frame(frame)).await.unwrap();
    scene.closed_with(1007).await;
}

#[tokio::test]
async fn a_control_frame_in_pieces_breaks_the_websocket_protocol_and_closes_with_1002() {
    let mut scene = Scene::set("").await;
    let header = FrameHeader {
        is_final: false,
        opcode: OpCode::Control(Control::Ping),
        ..FrameHeader::default()
    };
    let frame = Frame::from_payload(header, Bytes::new());
    scene.rogue.send_frame(Message::Frame(frame)).await.unwrap();
    scene.closed_with(1002).await;
}

#[tokio::test]
async fn a_message_in_pieces_is_one_message() {
    let mut scene = Scene::set("").await;
    let text = b"{\"type\":\"offer\",\"to\":\"dave\",\"payload\":\"in pieces\"}";
    for (index, piece) in text.chunks(7).enumerate() {
        let code = if index == 0 {
            OpCode::Data(Data::Text)
        } else {
            OpCode::Data(Data::Continue)
        };
        let is_last = (index + 1) * 7 >= text.len();
        let frame = Frame::message(Bytes::copy_from_slice(piece), code, is_last);
        scene.rogue.send_frame(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(
        scene.bystanders.1.message(PATIENCE).await.unwrap().payload.get(),
        "\"in pieces\""
    );
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_flood_of_tiny_frames_is_slowed_and_then_closed() {
    let mut scene = Scene::set("[limits]\nmessages_per_second = 10\nmessage_burst = 50\n").await;
    for _ in 0..3000 {
        // The node closes in the middle of the flood.
        if scene.rogue.send_text("{\"type\":\"ping\"}").await.is_err() {
            break;
        }
    }
    assert_eq!(scene.error().await.1, ErrorCode::RateLimited);
    scene.closed_with(4429).await;
}

#[tokio::test]
async fn garbage_and_slow_heads_before_the_handshake_end_without_a_connection() {
    let scene = Scene::set("").await;
    let port = scene.cluster.nodes[0].public_port();
    let mut garbage = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    garbage
        .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http at all\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, garbage.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let cluster = Cluster::start_with(1, "[server]\nhandshake_timeout_ms = 300\n")
        .await
        .unwrap();
    let mut slow = TcpStream::connect(("127.0.0.1", cluster.nodes[0].public_port()))
        .await
        .unwrap();
    slow.write_all(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut answer))
        .await
        .expect("cut off");
    let counted = async || {
        cluster.nodes[0]
            .metric("switchboard_handshake_timeouts_total")
            .await
            .filter(|n| *n >= 1.0)
    };
    switchboard_testkit::wait_until("it is counted", PATIENCE, counted)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_that_says_nothing_is_dropped_after_two_heartbeats_and_one_that_answers_pings_is_kept() {
    let cluster = Cluster::start_with(1, "[session]\nheartbeat_ms = 1000\n")
        .await
        .unwrap();
    // Does not read or answer.
    let _silent = raw(&cluster.nodes[0], "silent", None).await;
    let mut alive = cluster.connect(0, "alive").await.unwrap();
    let dropped = async || {
        let _ = alive.next_within(Duration::from_millis(20)).await;
        cluster.nodes[0]
            .metric("switchboard_closes_total{code=\"4408\"}")
            .await
            .filter(|count| *count == 1.0)
    };
    switchboard_testkit::wait_until("the silent one is dropped", PATIENCE, dropped)
        .await
        .unwrap();
    let outcome = alive
        .send_and_confirm(MessageKind::Bye, "alive", &payload("1").unwrap(), PATIENCE)
        .await;
    assert_eq!(outcome.unwrap(), SendReport::delivered());
}

#[tokio::test]
async fn numbers_are_numbers_in_every_spelling() {
    let mut scene = Scene::set("").await;
    for _ in 0..10 {
        scene
            .rogue
            .send_text(r#"{"type":"ack","seq":1.0}"#)
            .await
            .unwrap();
    }
    for (id, spelling) in [(1, "1.0"), (2, "2e0"), (3, "30E-1")] {
        let text = format!(r#"{{"type":"message","id":{spelling},"to":"dave","payload":1}}"#);
        scene.rogue.send_text(text).await.unwrap();
        assert_eq!(
            scene.rogue.outcome_of(id, PATIENCE).await.unwrap(),
            SendReport::delivered(),
            "{spelling}"
        );
    }
}

#[tokio::test]
async fn commands_of_a_newer_client_are_answered_and_cost_nothing_else() {
    let mut scene = Scene::set("").await;
    for id in 1..=30 {
        let text = format!(r#"{{"type":"watch-x","id":{id},"to":["dave"]}}"#);
        scene.rogue.send_text(text).await.unwrap();
    }
    for id in 1..=30 {
        assert_eq!(scene.error().await, (Some(id), ErrorCode::UnknownType));
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn frames_that_are_no_objects_are_bad() {
    let mut scene = Scene::set("").await;
    for text in [r#"["ping"]"#, "[1]", r#""ping""#, "1"] {
        scene.rogue.send_text(text).await.unwrap();
        assert_eq!(scene.error().await, (None, ErrorCode::BadFrame), "{text}");
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn answers_that_a_client_does_not_read_hold_little_of_its_text() {
    const FRAMES: usize = 600;
    const MEMORY: &str = "process_resident_memory_bytes";
    let mut scene = Scene::set("").await;
    let before = scene.cluster.nodes[0].metric(MEMORY).await.unwrap();
    let bad = format!(r#"{{"type":"ping","id":"{}"}}"#, "\u{200b}".repeat(21_000));
    for _ in 0..FRAMES {
        scene.rogue.send_text(bad.as_str()).await.unwrap();
        // A good frame between: bad ones in a row close the connection.
        scene.rogue.send_text(r#"{"type":"ack","seq":0}"#).await.unwrap();
    }
    // The last of the answers says that the node has read all frames.
    for _ in 0..FRAMES {
        let message = scene.rogue.expect(PATIENCE, |frame| match frame {
            ServerFrame::Event(Event::Error { message, .. }) => Some(message.to_string()),
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        });
        assert!(message.await.unwrap().chars().count() <= 128);
    }
    let grown = scene.cluster.nodes[0].metric(MEMORY).await.unwrap() - before;
    assert!(grown < 16e6, "{grown} bytes for {FRAMES} answers");
    scene.nobody_noticed().await;
}
