//! Handshakes that never end: they are few, cost little, and keep nobody else out.

use std::time::Duration;

use switchboard_client::ConnectOptions;
use switchboard_harness::resident_kib;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::secure::Secure;

const HANDSHAKES: usize = 256;

/// Beginnings of handshakes that are opened against it.
const HALF_OPEN: usize = 1_000;

#[tokio::test]
async fn a_flood_of_half_open_handshakes_costs_little_and_lets_others_in() {
    let config = format!("[server]\nhandshake_timeout_ms = 60000\n[limits]\nhandshakes = {HANDSHAKES}\n");
    let secure = Secure::start(&config).await;
    drop(secure.connect("warm").await);
    let pid = secure.node.process.pid().unwrap();
    let before = resident_kib(pid).unwrap();
    let mut half_open = Vec::new();
    for number in 0..HALF_OPEN {
        let mut tcp = TcpStream::connect(secure.address()).await.unwrap();
        // Every second one sends half of a ClientHello, and the others nothing.
        if number % 2 == 0 {
            let mut half = vec![22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
            half.resize(8_000, 0);
            let _ = tcp.write_all(&half).await;
        }
        half_open.push(tcp);
    }
    // All places are taken by one address, and another one gets the oldest of them.
    for number in 0..20 {
        let peer = format!("honest-{number}");
        let connected = secure.connect_from(&peer, [127, 0, 0, 2]).await;
        connected.unwrap().close().await;
    }
    let grown = resident_kib(pid).unwrap() - before;
    let each = grown / HANDSHAKES as f64;
    assert!(each < 40.0, "{each} KiB for each half-open handshake");
    let refused = "switchboard_http_refusals_total{reason=\"no-place\"}";
    assert!(secure.node.process.metric(refused).await.unwrap() > 0.0);
    drop(half_open);
}

#[tokio::test]
async fn a_handshake_that_stands_still_ends_in_time() {
    let secure = Secure::start("[server]\nhandshake_timeout_ms = 300\n").await;
    let mut silent = TcpStream::connect(secure.address()).await.unwrap();
    let mut half = TcpStream::connect(secure.address()).await.unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    for tcp in [&mut silent, &mut half] {
        let mut end = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(tcp, &mut end);
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
        assert!(end.is_empty());
    }
    secure
        .metric_is("switchboard_handshake_timeouts_total", 2.0)
        .await;
}

#[tokio::test]
async fn a_balancer_says_in_front_of_tls_where_the_client_is() {
    let config = "[server]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    let secure = Secure::start(config).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, node) = (listener.local_addr().unwrap(), secure.address());
    let balancer = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(node).await.unwrap();
        server
            .write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 54321 443\r\n")
            .await
            .unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let options = ConnectOptions {
        address: Some(address),
        ..secure.options("alice")
    };
    let client = switchboard_client::Client::connect(&options).await.unwrap();
    client.close().await;
    balancer.await.unwrap();
}
