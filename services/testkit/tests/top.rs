//! `switchboard top` in a terminal, and `switchboard status`, against two nodes and their Redis.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use nix::{
    pty::{Winsize, openpty},
    sys::termios::{LocalFlags, tcgetattr},
};
use switchboard_client::Client;
use switchboard_protocol::{JoinCommand, MessageKind, SendOutcome};
use switchboard_testkit::{Cluster, OPS_TOKEN, PATIENCE, RedisLayout, binary, payload, wait_until};

/// A program in a terminal of 200 columns and 50 lines.
struct Terminal {
    child: Child,
    keyboard: File,
    /// The side of the program.
    tty: OwnedFd,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    fn run(arguments: &[&str]) -> Self {
        let size = Winsize {
            ws_row: 50,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).unwrap();
        let mut command = Command::new(binary(None).unwrap());
        command
            .args(arguments)
            .env("SWITCHBOARD_OPS_TOKEN", OPS_TOKEN)
            .stdin(Stdio::from(pty.slave.try_clone().unwrap()))
            .stdout(Stdio::from(pty.slave.try_clone().unwrap()))
            .stderr(Stdio::from(pty.slave.try_clone().unwrap()));
        let child = command.spawn().unwrap();
        let keyboard = File::from(pty.master);
        let mut screen = keyboard.try_clone().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&shown);
        // Ends with the last end of the terminal.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                into.lock().unwrap().push_str(&text);
            }
        });
        Self {
            child,
            keyboard,
            tty: pty.slave,
            shown,
        }
    }

    /// The picture that was drawn last, as a whole: everything between the last two jumps to the upper left corner.
    fn picture(&self) -> String {
        let shown = self.shown.lock().unwrap();
        let mut pictures = shown.rsplit("\x1b[H");
        pictures.next();
        pictures.next().unwrap_or_default().to_owned()
    }

    /// Waits until a picture has a line with all these parts.
    async fn shows(&self, parts: &[&str]) {
        let what = format!("a line with {parts:?}");
        let found = async || {
            let picture = self.picture();
            let mut lines = picture.lines();
            lines
                .any(|line| parts.iter().all(|part| line.contains(part)))
                .then_some(())
        };
        let shown = wait_until(&what, PATIENCE, found).await;
        assert!(shown.is_ok(), "{what} is not shown: {}", self.picture());
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.tty)
            .unwrap()
            .local_flags
            .contains(LocalFlags::ECHO)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn join(client: &mut Client, room: &str) {
    let id = Some(client.next_id());
    let room = room.into();
    let command = switchboard_protocol::Command::Join(JoinCommand { room, info: None, id });
    client.request(&command, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn top_draws_the_cluster_follows_a_drain_and_a_dead_node_and_leaves_the_terminal_as_it_was() {
    let cluster = Cluster::start_on(RedisLayout::Standalone, 2, "").await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    join(&mut alice, "lobby").await;
    join(&mut bob, "lobby").await;
    let urls = cluster.nodes.iter().map(|node| node.ops_url());
    let urls = urls.collect::<Vec<_>>().join(",");
    let mut terminal = Terminal::run(&["top", "--node", &urls, "--every", "200ms"]);
    terminal.shows(&["2 nodes, 2 connections"]).await;
    terminal.shows(&["n1", "serving", "up", "asked"]).await;
    terminal.shows(&["n2", "serving", "up", "asked"]).await;
    let redis = cluster.redis.address().to_string();
    terminal
        .shows(&[redis.as_str(), "n1", "100 %", "up", "held"])
        .await;
    terminal.shows(&["default", "2"]).await;
    terminal.shows(&["default/lobby", "2     2"]).await;
    let hello = payload("1").unwrap();
    let report = alice
        .send_and_confirm(MessageKind::Offer, "bob", &hello, PATIENCE)
        .await
        .unwrap();
    assert_eq!(report.outcome, SendOutcome::Delivered);
    // The sender's node has the time of a delivery.
    terminal.shows(&["n1", "ms", "asked"]).await;
    assert!(!terminal.echoes(), "keys are not drawn");
    cluster.nodes[1].drain().await.unwrap();
    terminal.shows(&["n2", "draining"]).await;
    terminal.shows(&["1 node drains"]).await;
    cluster.nodes[1].kill().await.unwrap();
    let gone = cluster.nodes[1].ops_url();
    terminal
        .shows(&[gone.as_str(), "is unreachable", "cannot connect"])
        .await;
    terminal.keyboard.write_all(b"q").unwrap();
    let ended = async || terminal.child.try_wait().unwrap();
    let (status, _) = wait_until("top ends", PATIENCE, ended).await.unwrap();
    assert!(status.success() && terminal.echoes());
    let restored = async || {
        terminal
            .shown
            .lock()
            .unwrap()
            .ends_with("\x1b[?1049l")
            .then_some(())
    };
    wait_until("the picture of before is back", PATIENCE, restored)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_node_knows_the_others_from_redis_and_only_itself_in_detail() {
    let cluster = Cluster::start_on(RedisLayout::Standalone, 2, "").await.unwrap();
    let _bob = cluster.connect(1, "bob").await.unwrap();
    let status = async || {
        let mut command = tokio::process::Command::new(binary(None).unwrap());
        command
            .args(["status", "--json", "--node", &cluster.nodes[0].ops_url()])
            .env("SWITCHBOARD_OPS_TOKEN", OPS_TOKEN);
        let output = command.output().await.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let knows = async || {
        let status = status().await;
        let is_known = status["nodes"][1]["connections"] == 1;
        is_known.then_some(status)
    };
    let (status, _) = wait_until("n1 knows n2", PATIENCE, knows).await.unwrap();
    let (n1, n2) = (&status["nodes"][0], &status["nodes"][1]);
    assert_eq!((&n1["node"], &n1["asked"]), (&"n1".into(), &true.into()));
    assert_eq!((&n2["node"], &n2["asked"]), (&"n2".into(), &false.into()));
    assert_eq!(
        (&n2["state"], &n2["version"]),
        (&"serving".into(), &n1["version"])
    );
    let redis = status["redis"].as_array().unwrap();
    assert!(
        redis
            .iter()
            .all(|server| server["node"] == "n1" && server["lease"] == "held"),
        "{redis:?}"
    );
    assert!(
        status["tenants"].as_array().unwrap().is_empty(),
        "bob is elsewhere"
    );
}
