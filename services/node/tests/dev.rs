//! `switchboard dev` for pages of other ports, as a browser asks it: which may have a token and a connection.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use common::{ALONE, Node};
use switchboard_harness::PATIENCE;

/// A refused handshake ends its connection by itself.
const CLOSE: &str = "Connection: close\r\n";

/// `switchboard dev` on free ports; killed when dropped.
struct Dev {
    child: Child,
    address: String,
}

impl Dev {
    fn start(options: &[&str]) -> Self {
        let any = [
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--no-turn",
        ];
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .arg("dev")
            .args(any)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses =
            lines.filter_map(|line| line.unwrap().trim().strip_prefix("http://").map(str::to_owned));
        let address = addresses.next().unwrap().trim_end_matches('/').to_owned();
        Self { child, address }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to `GET path`, in lower case, for a page of `origin`.
fn ask(address: &str, path: &str, origin: &str, more: &str) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\n{more}\r\n");
    tcp.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

/// What a page of `origin` gets: a token that it can read, and a connection.
fn is_served(address: &str, origin: &str) -> (bool, bool) {
    let token = ask(address, "/dev/session", origin, CLOSE);
    let is_readable = token.contains(&format!("access-control-allow-origin: {origin}\r\n"));
    assert_eq!(token.starts_with("http/1.1 200"), is_readable, "{token}");
    // A token is checked after the origin, so a request without one shows the answer to the origin.
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: switchboard.v1\r\n";
    let handshake = ask(address, "/v1/ws", origin, upgrade);
    assert!(
        handshake.contains("token-missing") || handshake.contains("origin-not-allowed"),
        "{handshake}"
    );
    (is_readable, handshake.contains("token-missing"))
}

#[test]
fn pages_of_this_machine_are_served_on_every_port_and_others_when_named() {
    let dev = Dev::start(&[
        "--allow-origin",
        "https://my.test",
        "--allow-origin",
        "https://*.my.test",
    ]);
    for origin in [
        "http://localhost:5173",
        "http://127.0.0.1:3000",
        "http://[::1]:8000",
        "https://localhost:5173",
        "https://my.test",
        "https://eu.my.test",
    ] {
        assert_eq!(is_served(&dev.address, origin), (true, true), "{origin}");
    }
    for origin in ["https://evil.example", "http://localhost.evil.example", "null"] {
        assert_eq!(is_served(&dev.address, origin), (false, false), "{origin}");
    }
}

#[test]
fn a_token_comes_with_an_address_that_a_page_of_another_port_can_use() {
    let dev = Dev::start(&[]);
    let answer = ask(
        &dev.address,
        "/dev/session?peer=alice",
        "http://localhost:5173",
        CLOSE,
    );
    assert!(answer.contains(r#""peer":"alice""#), "{answer}");
    let ws_url = format!(r#""ws_url":"ws://{}/v1/ws""#, dev.address);
    assert!(answer.contains(&ws_url), "{answer}");
}

#[tokio::test]
async fn a_node_that_serves_allows_no_page_of_its_machine_by_itself() {
    let node = Node::start(&format!("{ALONE}[demo]\nenabled = true\n")).await;
    let address = format!("127.0.0.1:{}", node.process.public_port());
    assert_eq!(is_served(&address, "http://localhost:5173"), (false, false));
    let own = format!("http://{address}");
    assert!(ask(&address, "/dev/session", &own, CLOSE).starts_with("http/1.1 200"));
}
