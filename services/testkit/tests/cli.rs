//! The command line against a cluster. Without one: services/node/tests.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Stdio;

use switchboard_testkit::{Cluster, PATIENCE, binary, token};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn two_peers_on_the_command_line_reach_each_other_across_nodes() {
    let cluster = Cluster::start(2).await.unwrap();
    let peer = |name: &str, node: usize, arguments: &[&str]| {
        let mut command = tokio::process::Command::new(binary(None).unwrap());
        command
            .args(arguments)
            .env("SWITCHBOARD_URL", cluster.nodes[node].url());
        command.env("SWITCHBOARD_TOKEN", token(name).unwrap().expose());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let listening = peer("bob", 1, &["listen", "--count", "1"]);
    let attached = async || {
        cluster.nodes[1]
            .metric("switchboard_sessions")
            .await
            .filter(|count| *count == 1.0)
    };
    switchboard_testkit::wait_until("bob listens", PATIENCE, attached)
        .await
        .unwrap();
    let sent = peer("alice", 0, &["send", "--to", "bob", "{\"hello\": 1.0}"])
        .wait_with_output()
        .await
        .unwrap();
    assert_eq!(
        text(&sent.stdout).trim(),
        "delivered to bob",
        "{}",
        text(&sent.stderr)
    );
    let received = listening.wait_with_output().await.unwrap();
    assert!(
        text(&received.stdout).contains("{\"hello\": 1.0}"),
        "{}",
        text(&received.stdout)
    );
    let lost = peer("alice", 0, &["send", "--to", "nobody", "1"])
        .wait_with_output()
        .await
        .unwrap();
    assert_eq!(lost.status.code(), Some(1));
    assert!(
        text(&lost.stderr).contains("peer-offline"),
        "{}",
        text(&lost.stderr)
    );
}

#[tokio::test]
async fn peers_on_the_command_line_meet_in_a_room_and_see_each_other() {
    let cluster = Cluster::start(2).await.unwrap();
    let peer = |name: &str, node: usize, arguments: &[&str]| {
        let mut command = tokio::process::Command::new(binary(None).unwrap());
        command
            .args(arguments)
            .env("SWITCHBOARD_URL", cluster.nodes[node].url())
            .env("SWITCHBOARD_TOKEN", token(name).unwrap().expose())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let mut bob = peer(
        "bob",
        1,
        &[
            "listen",
            "--room",
            "lobby",
            "--info",
            r#"{"name": "Bob"}"#,
            "--watch",
            "alice",
            "--count",
            "1",
        ],
    );
    let mut lines = BufReader::new(bob.stdout.take().unwrap()).lines();
    // The answers to requests of different kinds have no order.
    let mut printed = Vec::new();
    let mut expect = async |parts: &[&str]| {
        let is_it = |line: &String| parts.iter().all(|part| line.contains(part));
        let found = timeout(PATIENCE, async {
            while !printed.iter().any(is_it) {
                printed.push(lines.next_line().await.unwrap().expect("bob still listens"));
            }
        });
        assert!(found.await.is_ok(), "bob never printed {parts:?}");
    };
    expect(&[
        r#""type":"joined""#,
        r#""room":"lobby""#,
        r#"{"peer":"bob","info":{"name": "Bob"},"#,
    ])
    .await;
    expect(&[r#""type":"presence""#, r#"{"peer":"alice","state":"offline"}"#]).await;
    let sent = peer("alice", 0, &["send", "--room", "lobby", r#"{"hello": 1.0}"#])
        .wait_with_output()
        .await
        .unwrap();
    assert_eq!(
        text(&sent.stdout).trim(),
        "published to lobby",
        "{}",
        text(&sent.stderr)
    );
    expect(&[r#""from":"alice","room":"lobby","payload":{"hello": 1.0}"#]).await;
    assert!(timeout(PATIENCE, bob.wait()).await.unwrap().unwrap().success());
}
