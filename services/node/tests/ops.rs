//! The operations port of a real node: who may use it, and that it answers whatever happens to it and to the public port.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::Command;

use common::{ALONE, Node};
use switchboard_harness::{OPS_TOKEN, PATIENCE, find_program, or_skip, wait_until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The status of the answer to `head`, which ends without its empty line.
async fn ask(port: u16, head: &str) -> u16 {
    try_ask(port, head).await.unwrap()
}

async fn try_ask(port: u16, head: &str) -> std::io::Result<u16> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(format!("{head}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await?;
    Ok(answer
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .parse()
        .unwrap_or_default())
}

#[tokio::test]
async fn a_page_cannot_drain_a_node_and_a_stranger_cannot_either() {
    let node = Node::start(ALONE).await;
    let port = node.ops_port();
    let own = format!("Host: 127.0.0.1:{port}\r\nContent-Length: 0\r\nAuthorization: Bearer {OPS_TOKEN}");
    let foreign = "Host: evil.example\r\nContent-Length: 0";
    for (head, status) in [
        (
            format!("POST /drain HTTP/1.1\r\n{own}\r\nOrigin: https://evil.example"),
            403,
        ),
        (
            format!("POST /drain HTTP/1.1\r\n{own}\r\nSec-Fetch-Site: cross-site"),
            403,
        ),
        (
            format!("POST /drain HTTP/1.1\r\n{foreign}\r\nAuthorization: Bearer {OPS_TOKEN}"),
            403,
        ),
        (format!("GET /metrics HTTP/1.1\r\n{foreign}"), 403),
        (
            "POST /drain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0".to_owned(),
            401,
        ),
        (
            format!(
                "POST /undrain HTTP/1.1\r\nHost: n1\r\nContent-Length: 0\r\nAuthorization: Bearer {OPS_TOKEN}x"
            ),
            401,
        ),
    ] {
        assert_eq!(ask(port, &head).await, status, "{head}");
    }
    assert_eq!(
        node.process.status("/readyz").await,
        Some(200),
        "nothing drained it"
    );
    assert_eq!(
        node.process.metric("switchboard_ops_refusals_total").await,
        Some(6.0)
    );
    assert_eq!(ask(port, &format!("POST /drain HTTP/1.1\r\n{own}")).await, 202);
    assert_eq!(node.process.post("/undrain").await, Some(202));
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_metrics() {
    let Some(promtool) = or_skip(find_program("promtool")) else {
        return;
    };
    let node = Node::start(ALONE).await;
    let file = node.folder.path().join("metrics");
    std::fs::write(&file, node.process.get("/metrics").await.unwrap().body).unwrap();
    let checked = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[tokio::test]
async fn a_development_node_gives_no_token_to_a_name_that_was_made_to_resolve_to_it() {
    let more = format!("{ALONE}[demo]\nenabled = true\n");
    let node = Node::start(&more).await;
    let port = node.process.public_port();
    let close = "Connection: close";
    for path in ["/dev/session", "/", "/v1/ws"] {
        let foreign = format!("GET {path} HTTP/1.1\r\nHost: evil.example:{port}\r\n{close}");
        assert_eq!(ask(port, &foreign).await, 403, "{path}");
    }
    let own = format!("GET /dev/session HTTP/1.1\r\nHost: localhost:{port}\r\n{close}");
    assert_eq!(ask(port, &own).await, 200);
}

#[tokio::test]
async fn silent_connections_do_not_keep_probes_from_their_answer() {
    let node = Node::start(ALONE).await;
    let mut silent = Vec::new();
    for _ in 0..1_500 {
        silent.push(TcpStream::connect(("127.0.0.1", node.ops_port())).await.unwrap());
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(node.process.status(path).await, Some(200), "{path}");
    }
    let cut = node.process.metric("switchboard_ops_connections_cut_total").await;
    assert!(cut.is_some_and(|cut| cut >= 1_400.0), "{cut:?}");
}

#[tokio::test]
async fn a_node_raises_its_soft_limit_of_open_files() {
    let node = Node::start_with_files("-S -n 64", ALONE).await;
    let limits = format!("/proc/{}/limits", node.process.pid().unwrap());
    let limits = std::fs::read_to_string(limits).unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let mut numbers = files.split_whitespace();
    let (soft, hard) = (numbers.next().unwrap(), numbers.next().unwrap());
    assert!(soft == hard && soft != "64", "{files}");
}

#[tokio::test]
async fn a_node_whose_clients_have_all_files_still_answers_probes() {
    let node = Node::start_with_files("-n 100", ALONE).await;
    let log = node.process.log();
    assert!(log.contains("limits.connections = 100000"), "{log}");
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(
            TcpStream::connect(("127.0.0.1", node.process.public_port()))
                .await
                .unwrap(),
        );
    }
    let refused = async || {
        let count = node
            .process
            .metric("switchboard_connect_refusals_total{reason=\"files\"}")
            .await;
        count.filter(|count| *count > 0.0)
    };
    wait_until("clients are refused", PATIENCE, refused)
        .await
        .unwrap();
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(node.process.status(path).await, Some(200), "{path}");
    }
    let ops = format!("{}/livez", node.process.ops_url());
    let health = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["healthcheck", "--url", &ops])
        .status();
    assert!(health.unwrap().success());
    // The refusal is an answer, not only a closed connection.
    let mut last = clients.pop().unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry_after_ms"),
        "{answer}"
    );
    drop(clients);
    let request = "GET /v1/ice HTTP/1.1\r\nHost: n1\r\nConnection: close";
    // Until the node has seen that the others are gone, it closes this connection too.
    let served = async || {
        let status = try_ask(node.process.public_port(), request).await;
        status.ok().filter(|status| *status == 401)
    };
    wait_until("the public port serves again", PATIENCE, served)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_balancer_that_checks_only_the_public_port_learns_whether_the_node_is_ready() {
    let node = Node::start(ALONE).await;
    let port = node.process.public_port();
    let health = async || ask(port, "GET /v1/health HTTP/1.1\r\nHost: n1\r\nConnection: close").await;
    assert_eq!(health().await, 200);
    let is = async |status| (health().await == status).then_some(());
    node.process.post("/drain").await;
    wait_until("503 while it drains", PATIENCE, async || is(503).await)
        .await
        .unwrap();
    node.process.post("/undrain").await;
    wait_until("200 again", PATIENCE, async || is(200).await)
        .await
        .unwrap();
}
