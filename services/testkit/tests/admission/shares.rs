//! What a client can use up before and while it connects: places, time, the rate of connects. Others get in all the same.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use switchboard_client::{Client, ConnectError, ConnectOptions, dial};
use switchboard_testkit::{Cluster, PATIENCE, token, wait_until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::raw;

#[tokio::test]
async fn connections_without_a_token_from_one_address_keep_nobody_else_out() {
    const PLACES: usize = 512;
    let cluster = Cluster::start_with(1, &format!("[limits]\nhandshakes = {PLACES}\n"))
        .await
        .unwrap();
    let node = &cluster.nodes[0];
    let address = SocketAddr::from(([127, 0, 0, 1], node.public_port()));
    // Twice as many as there are places; each has sent one request, and would send the next one every few seconds.
    let mut many = Vec::new();
    for _ in 0..PLACES * 2 {
        let mut stream = dial(address, Some([127, 0, 0, 2].into())).await.unwrap();
        let _ = stream
            .write_all(b"GET /v1/ready HTTP/1.1\r\nHost: x\r\nX-Unfinished: ")
            .await;
        many.push(stream);
    }
    let started = Instant::now();
    let honest = ConnectOptions::new(node.url(), token("honest").unwrap());
    Client::connect(&honest).await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    let displaced = node
        .metric("switchboard_http_refusals_total{reason=\"displaced\"}")
        .await;
    let no_place = node
        .metric("switchboard_http_refusals_total{reason=\"no-place\"}")
        .await;
    assert!(
        displaced >= Some(1.0) && no_place >= Some(1.0),
        "{displaced:?} {no_place:?}"
    );
}

#[tokio::test]
async fn a_refused_request_ends_its_connection_and_so_do_many_without_a_token() {
    let cluster = Cluster::start_with(1, "[demo]\nenabled = true\n").await.unwrap();
    let port = cluster.nodes[0].public_port();
    for request in [
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/ice HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = raw(port, request).await;
        assert!(
            answer.contains("connection: close") || answer.contains("upgrade, close"),
            "{answer}"
        );
    }
    let files = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(100);
    let answers = raw(port, &files).await;
    assert_eq!(answers.matches("http/1.1 200").count(), 32);
}

#[tokio::test]
async fn a_connection_that_never_shows_a_token_ends_in_time_although_it_is_busy() {
    let cluster = Cluster::start_with(
        1,
        "[server]\nhandshake_timeout_ms = 500\n[demo]\nenabled = true\n",
    )
    .await
    .unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", cluster.nodes[0].public_port()))
        .await
        .unwrap();
    let started = Instant::now();
    let mut requests = 0;
    while requests < 30
        && stream
            .write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            .await
            .is_ok()
    {
        requests += 1;
        let mut scratch = [0; 65_536];
        if stream.read(&mut scratch).await.unwrap_or(0) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{requests} requests in {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_peer_that_connects_in_a_loop_is_slowed_and_nobody_else_is() {
    let limits = "[limits]\nconnects_per_second = 100\npeer_connects_per_second = 5\n";
    let cluster = Cluster::start_with(1, limits).await.unwrap();
    let url = cluster.nodes[0].url();
    let looping = ConnectOptions::new(url.clone(), token("looping").unwrap());
    let mut refused = 0;
    for number in 0..60 {
        for _ in 0..4 {
            if let Err(error) = Client::connect(&looping).await {
                assert!(
                    matches!(&error, ConnectError::Refused { status: 503, .. }),
                    "{error:?}"
                );
                refused += 1;
            }
        }
        let honest = ConnectOptions::new(url.clone(), token(&format!("honest-{number}")).unwrap());
        Client::connect(&honest).await.unwrap();
    }
    assert!(refused > 100, "{refused}");
    let counted = cluster.nodes[0]
        .metric("switchboard_connect_refusals_total{reason=\"peer-rate\"}")
        .await;
    assert_eq!(counted, Some(f64::from(refused)));
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_has_its_own_address_and_sees_its_own_host() {
    let cluster = Cluster::start_with(1, "[server]\ntrusted_proxies = [\"127.0.0.3\"]\n")
        .await
        .unwrap();
    let node = &cluster.nodes[0];
    let address = SocketAddr::from(([127, 0, 0, 1], node.public_port()));
    let good = token("alice").unwrap();
    let from = async |source: [u8; 4]| {
        let mut stream = dial(address, Some(source.into())).await.unwrap();
        let request = format!(
            "GET /v1/ready HTTP/1.1\r\nHost: n1:8080\r\nX-Forwarded-Host: sig.example\r\nX-Forwarded-Proto: https\r\n\
             Origin: https://sig.example\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            good.expose()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(from([127, 0, 0, 3]).await.starts_with("HTTP/1.1 200"));
    assert!(from([127, 0, 0, 4]).await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn a_replaced_connection_gives_its_place_back_at_once() {
    let cluster = Cluster::start_with(1, "[limits]\nconnections = 2\n")
        .await
        .unwrap();
    let node = &cluster.nodes[0];
    // Never answers a close frame, so its close handshake takes seconds.
    let mut old = TcpStream::connect(("127.0.0.1", node.public_port()))
        .await
        .unwrap();
    let head = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {}\r\n\r\n",
        token("alice").unwrap().expose()
    );
    old.write_all(head.as_bytes()).await.unwrap();
    let attached = async || {
        node.metric("switchboard_sessions")
            .await
            .filter(|count| *count == 1.0)
    };
    wait_until("the old connection is attached", PATIENCE, attached)
        .await
        .unwrap();
    let _new = cluster.connect(0, "alice").await.unwrap();
    let replaced = Instant::now();
    let room = async || cluster.connect(0, "bob").await.ok();
    let _bob = wait_until("bob has a place", PATIENCE, room).await.unwrap();
    assert!(
        replaced.elapsed() < Duration::from_millis(1500),
        "{:?}",
        replaced.elapsed()
    );
}
