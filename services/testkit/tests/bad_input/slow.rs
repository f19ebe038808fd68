//! Slow clients are alive: bytes that move in either direction count, not only whole frames. Clients that take nothing are
//! given up.

use std::time::Duration;

use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, PATIENCE, payload, raw::text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::raw;

#[tokio::test]
async fn a_large_frame_that_arrives_slowly_is_delivered() {
    // Two heartbeats without a sign of life are the end; the frame takes four.
    let cluster = Cluster::start_with(1, "[session]\nheartbeat_ms = 500\n")
        .await
        .unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    let mut alice = raw(&cluster.nodes[0], "alice", None).await;
    let bytes = text(&format!(
        r#"{{"type":"offer","to":"bob","payload":"{}"}}"#,
        "x".repeat(60_000)
    ));
    let (slices, last) = bytes.split_at(bytes.len() - 10);
    for slice in slices.chunks(bytes.len() / 40) {
        alice.stream.write_all(slice).await.unwrap();
        // Bob answers the pings meanwhile.
        let _ = bob.next_within(Duration::from_millis(50)).await;
    }
    alice.stream.write_all(last).await.unwrap();
    let message = bob.message(PATIENCE).await.unwrap();
    assert_eq!(
        (message.from.as_str(), message.payload.get().len()),
        ("alice", 60_002)
    );
}

#[tokio::test]
async fn a_receiver_that_reads_slowly_and_steadily_stays() {
    let config = "[session]\nheartbeat_ms = 2500\nwrite_stall_ms = 3000\nsend_deadline_ms = 60000\n";
    let cluster = Cluster::start_with(1, config).await.unwrap();
    let mut slow = raw(&cluster.nodes[0], "slow", Some(8192)).await;
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let large = payload(format!("\"{}\"", "x".repeat(60_000))).unwrap();
    for id in 1..=4 {
        alice
            .send(MessageKind::Offer, "slow", Some(id), &large)
            .await
            .unwrap();
    }
    // Alice answers her pings meanwhile.
    let alice = tokio::spawn(async move { while alice.next_within(PATIENCE).await.is_ok() {} });
    // 18 KB a second: one message takes longer than a stall may, and the pings wait behind it.
    let mut read = 0;
    let mut scratch = [0; 900];
    while read < 140_000 {
        read += slow.stream.read(&mut scratch).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    alice.abort();
    let closes = cluster.nodes[0].get("/metrics").await.unwrap().body;
    for code in ["4508", "4408"] {
        assert!(
            closes.contains(&format!("switchboard_closes_total{{code=\"{code}\"}} 0")),
            "{code}"
        );
    }
}
