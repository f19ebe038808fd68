//! A node that is frozen for longer than its lease, as a real process stopped by SIGSTOP: another node takes
//! its peer, and what had gathered for the frozen one must not be delivered when it thaws.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{path::Path, time::Duration};

use common::{PATIENCE, key, redis_node, session_id, until};
use switchboard_harness::{Process, Ready, Recipe};

/// Tells the child where its Redis is.
const URL: &str = "SWITCHBOARD_TEST_REDIS_URL";

/// Messages published while the node is frozen.
const WHILE_FROZEN: usize = 50;

/// Not a test by itself: what the child process does when the test below starts this binary again.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn the_node_that_will_be_frozen() {
    let Ok(url) = std::env::var(URL) else { return };
    let node = redis_node("n2", &url);
    node.is_up().await;
    assert!(node.attach("bob", 1).await.confirmed);
    println!("\nREADY");
    let mut printed = 0;
    until("bob was taken over", Duration::from_secs(60), || {
        let messages = node.seen.messages.lock();
        for (_, message) in messages.iter().skip(printed) {
            println!("\nRECEIVED {}", message.escape_ascii());
        }
        printed = messages.len();
        node.takeovers() == [(key("bob"), session_id(1))]
    })
    .await;
    println!("\nYIELDED");
}

/// The node in a process of its own, with its output in `folder`.
fn start_node(url: &str, folder: &Path) -> Process {
    let arguments = [
        "--exact",
        "the_node_that_will_be_frozen",
        "--ignored",
        "--nocapture",
    ];
    let recipe = Recipe {
        program: std::env::current_exe().unwrap(),
        arguments: arguments.map(Into::into).to_vec(),
        environment: vec![(URL, url.to_owned())],
        log: folder.join("log"),
        ready: Ready::Started,
        ports: Vec::new(),
    };
    let process = Process::new("n2", recipe);
    process.spawn().unwrap();
    process
}

/// Waits until the node has printed this line.
async fn prints(node: &Process, line: &str) {
    until(line, PATIENCE, || {
        node.log().lines().any(|printed| printed == line)
    })
    .await;
}

#[tokio::test]
async fn a_thawed_node_yields_and_delivers_nothing_of_what_had_gathered() {
    let redis = redis!();
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    let folder = tempfile::tempdir().unwrap();
    let n2 = start_node(&redis.url(), folder.path());
    prints(&n2, "READY").await;
    n1.publish("bob", b"before").await.unwrap();
    prints(&n2, "RECEIVED before").await;

    n2.freeze().unwrap();
    let taken = n1.attach("bob", 2).await;
    assert_eq!(
        taken.previous.map(|previous| previous.session),
        Some(session_id(1))
    );
    for _ in 0..WHILE_FROZEN {
        assert_eq!(
            n1.publish("bob", b"frozen").await,
            Ok(2),
            "Redis still counts the frozen node"
        );
    }
    until("the new owner received all", PATIENCE, || {
        n1.received(b"frozen") == WHILE_FROZEN
    })
    .await;
    // Longer than the lease.
    tokio::time::sleep(Duration::from_secs(11)).await;
    n2.thaw().unwrap();
    prints(&n2, "YIELDED").await;
    let log = n2.log();
    let received: Vec<_> = log.lines().filter(|line| line.starts_with("RECEIVED")).collect();
    assert_eq!(received, ["RECEIVED before"]);
    assert!(n1.takeovers().is_empty());
    assert_eq!(n1.publish("bob", b"after").await, Ok(1));
}
