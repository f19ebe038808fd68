//! A node that is frozen for longer than its lease, as a real process stopped by SIGSTOP: another node takes
//! its peer, and what had gathered for the frozen one must not be delivered when it thaws.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    time::Duration,
};

use common::{PATIENCE, key, redis_node, redis_server::RedisServer, session_id, until};

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
    let mut heard = 0;
    until("bob was taken over", Duration::from_secs(60), || {
        let messages = node.seen.heard.lock();
        for (_, message) in messages.iter().skip(heard) {
            println!("\nHEARD {}", message.escape_ascii());
        }
        heard = messages.len();
        node.takeovers() == [(key("bob"), session_id(1))]
    })
    .await;
    println!("\nYIELDED");
}

struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "the_node_that_will_be_frozen",
                "--ignored",
                "--nocapture",
            ])
            .env(URL, url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(4_096);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// What it said until it says `last`.
    async fn says(&self, last: &str) -> Vec<String> {
        let mut said = Vec::new();
        until(last, PATIENCE, || {
            said.extend(self.lines.try_iter());
            said.iter().any(|line| line == last)
        })
        .await;
        said
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_thawed_node_yields_and_delivers_nothing_of_what_had_gathered() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let n1 = redis_node("n1", &redis.url());
    n1.is_up().await;
    let n2 = Process::start(&redis.url());
    n2.says("READY").await;
    n1.publish("bob", b"before").await.unwrap();
    n2.says("HEARD before").await;

    n2.signal("STOP");
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
    until("the new owner heard all", PATIENCE, || {
        n1.heard(b"frozen") == WHILE_FROZEN
    })
    .await;
    // Longer than the lease.
    tokio::time::sleep(Duration::from_secs(11)).await;
    n2.signal("CONT");
    let said = n2.says("YIELDED").await;
    assert!(!said.iter().any(|line| line.starts_with("HEARD")), "{said:?}");
    assert!(n1.takeovers().is_empty());
    assert_eq!(n1.publish("bob", b"after").await, Ok(1));
}
