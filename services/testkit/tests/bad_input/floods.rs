//! Floods of frames that are no commands, and frames over the limit: they cost the sender, and nobody else.

use switchboard_protocol::ErrorCode;
use switchboard_testkit::{
    PATIENCE,
    raw::{CONTINUATION, PING, PONG, TEXT, frame},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Scene, raw};

#[tokio::test]
async fn floods_of_pings_pongs_and_empty_fragments_are_closed() {
    let scene = Scene::set("").await;
    let node = &scene.cluster.nodes[0];
    for (name, first, next) in [
        ("pings", frame(PING, true, b""), frame(PING, true, b"")),
        ("pongs", frame(PONG, true, b""), frame(PONG, true, b"")),
        (
            "fragments",
            frame(TEXT, false, b""),
            frame(CONTINUATION, false, b""),
        ),
    ] {
        let mut flood = raw(node, name, None).await;
        let bytes = [first, next.repeat(20_000)].concat();
        // The node closes in the middle of it.
        let _ = flood.stream.write_all(&bytes).await;
        let mut answers = Vec::new();
        let reading = flood.stream.read_to_end(&mut answers);
        let _ = tokio::time::timeout(PATIENCE, reading).await.expect("closed");
        let code = 4429_u16.to_be_bytes();
        // Behind the header of the close frame.
        assert!(
            answers.windows(4).any(|at| at[0] == 0x88 && at[2..] == code),
            "{name}: no 4429"
        );
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_answered_by_its_id_and_the_connection_stays() {
    let mut scene = Scene::set("").await;
    for (id, bytes) in [(3, 70_000), (4, 1_000_000)] {
        let huge = format!(
            r#"{{"type":"offer","id":{id},"to":"dave","payload":"{}"}}"#,
            "x".repeat(bytes)
        );
        scene.rogue.send_text(huge).await.unwrap();
        assert_eq!(scene.error().await, (Some(id), ErrorCode::PayloadTooLarge));
    }
    let last = r#"{"type":"offer","id":5,"to":"nobody","payload":1}"#;
    scene.rogue.send_text(last).await.unwrap();
    assert_eq!(scene.error().await, (Some(5), ErrorCode::PeerOffline));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_message_far_over_the_limit_closes_with_1009() {
    let mut scene = Scene::set("").await;
    let huge = format!(
        r#"{{"type":"offer","to":"dave","payload":"{}"}}"#,
        "x".repeat(1_100_000)
    );
    let _ = scene.rogue.send_text(huge).await;
    scene.closed_with(1009).await;
}
