//! How a real node starts and stops when what it talks to hangs or is not there.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    fs::Permissions,
    net::UdpSocket,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use common::{ALONE, Node, token};
use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{PATIENCE, wait_until};
use switchboard_protocol::MessageKind;
use tokio::net::TcpListener;

/// More than the last spans and the claims may take together, less than any of the waits that were here before.
const STOP_WITHIN: Duration = Duration::from_millis(4_500);

const NO_DRAIN: &str = "[drain]\nsettle_ms = 0\nwindow_ms = 0\ngrace_ms = 0\ndeadline_ms = 0\n";

/// Sends one message to no one, which makes spans.
async fn make_spans(node: &Node) {
    let options = ConnectOptions::new(node.process.url(), token("alice"));
    let mut alice = Client::connect(&options).await.unwrap();
    let payload = serde_json::value::RawValue::from_string("1".into()).unwrap();
    alice
        .send_and_confirm(MessageKind::Offer, "bob", &payload, PATIENCE)
        .await
        .unwrap();
    alice.close().await;
}

async fn stop_time(node: &Node) -> Duration {
    let started = Instant::now();
    node.process.terminate().unwrap();
    let status = node.process.wait_ended(PATIENCE).await.unwrap();
    assert!(status.success(), "{status}");
    started.elapsed()
}

#[tokio::test]
async fn a_collector_that_hangs_does_not_hold_up_a_stop() {
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let more = format!(
        "{ALONE}{NO_DRAIN}[telemetry]\notlp_endpoint = \"http://{}\"\ntrace_sample_ratio = 1.0\n",
        hangs.local_addr().unwrap()
    );
    let node = Node::start(&more).await;
    make_spans(&node).await;
    let took = stop_time(&node).await;
    assert!(took < STOP_WITHIN, "{took:?}");
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_one_log_line_and_a_metric() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let more = format!(
        "{ALONE}{NO_DRAIN}[telemetry]\notlp_endpoint = \"http://{nobody}\"\ntrace_sample_ratio = 1.0\n"
    );
    let node = Node::start(&more).await;
    for failures in [1.0, 2.0] {
        make_spans(&node).await;
        let counted = async || {
            let count = node
                .process
                .metric("switchboard_trace_export_failures_total")
                .await;
            count.filter(|count| *count >= failures)
        };
        wait_until("a failed export is counted", 2 * PATIENCE, counted)
            .await
            .unwrap();
    }
    let log = node.process.log();
    assert_eq!(
        log.matches("the collector does not take traces").count(),
        1,
        "{log}"
    );
}

/// A script that starts the node where names are asked of `server`; an error where this user may not change that.
fn with_name_server(folder: &Path, server: &str) -> anyhow::Result<PathBuf> {
    let may = Command::new("unshare").args(["-m", "true"]).status()?;
    anyhow::ensure!(may.success(), "only root can give a process another name server");
    let (resolv, script) = (folder.join("resolv.conf"), folder.join("node"));
    std::fs::write(&resolv, format!("nameserver {server}\n"))?;
    let binary = env!("CARGO_BIN_EXE_switchboard");
    let inner = format!(
        "mount --bind {} /etc/resolv.conf && exec {binary} \"$@\"",
        resolv.display()
    );
    std::fs::write(
        &script,
        format!("#!/bin/sh\nexec unshare -m sh -c '{inner}' sh \"$@\"\n"),
    )?;
    std::fs::set_permissions(&script, Permissions::from_mode(0o700))?;
    Ok(script)
}

#[tokio::test]
async fn a_name_server_that_never_answers_is_named_and_does_not_hold_up_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let script = match with_name_server(folder.path(), "127.53.0.1") {
        Ok(script) => script,
        Err(error) => return println!("skipped: {error}"),
    };
    let _silent = UdpSocket::bind("127.53.0.1:53").unwrap();
    let more = format!("{NO_DRAIN}[broker]\nredis_urls = [\"redis://redis.example:6379\"]\n");
    let node = Node::spawn_by(folder, &script, &more);
    let lives = async || {
        node.process
            .status("/livez")
            .await
            .filter(|status| *status == 200)
    };
    wait_until("the node lives", PATIENCE, lives).await.unwrap();
    let is_named = async || {
        let body = node.process.get("/readyz").await.ok()?.body;
        let words = ["bus-down", "redis.example:6379", "does not answer"];
        words.iter().all(|words| body.contains(words)).then_some(())
    };
    wait_until("the reason is given", PATIENCE, is_named)
        .await
        .unwrap();
    let log = node.process.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the bus between nodes"))
        .collect();
    assert_eq!(lines.len(), 1, "not for each attempt: {lines:#?}");
    assert!(
        lines[0].contains("redis.example:6379") && lines[0].contains("does not answer"),
        "{}",
        lines[0]
    );
    let took = stop_time(&node).await;
    assert!(took < STOP_WITHIN, "{took:?}");
}
