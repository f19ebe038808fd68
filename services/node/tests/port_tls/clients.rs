//! Every way of a client to a node is there over TLS.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::value::RawValue;
use switchboard_client::{Client, ConnectOptions, Trust};
use switchboard_harness::PATIENCE;
use switchboard_protocol::{MessageKind, SendOutcome};

use crate::{
    common::{ALONE, token},
    secure::{Secure, certificates, files, https},
};

#[tokio::test]
async fn peers_call_each_other_over_wss() {
    let secure = Secure::start("").await;
    let mut alice = secure.connect("alice").await;
    let mut bob = secure.connect("bob").await;
    // Several records each, and the reads of both sides cut them elsewhere.
    let payload = RawValue::from_string(format!("\"{}\"", "x".repeat(50_000))).unwrap();
    for _ in 0..20 {
        let report = alice
            .send_and_confirm(MessageKind::Offer, "bob", &payload, PATIENCE)
            .await
            .unwrap();
        assert_eq!(report.outcome, SendOutcome::Delivered);
        assert_eq!(bob.message(PATIENCE).await.unwrap().payload.get(), payload.get());
    }
    alice.close().await;
    let full = "switchboard_tls_handshakes_total{outcome=\"full\",port=\"public\"}";
    let resumed = full.replace("full", "resumed");
    let counted = [
        secure.node.process.metric(full).await.unwrap(),
        secure.node.process.metric(&resumed).await.unwrap(),
    ];
    assert_eq!(counted.iter().sum::<f64>(), 2.0);
}

#[tokio::test]
async fn an_authority_that_the_client_does_not_know_is_an_error_that_says_so() {
    let secure = Secure::start("").await;
    let options = ConnectOptions {
        trust: Trust::default(),
        ..secure.options("alice")
    };
    let error = Client::connect(&options).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    // The same holds for a name that the certificate does not have.
    let url = format!("wss://{}/v1/ws", secure.address());
    let other = ConnectOptions {
        url,
        ..secure.options("alice")
    };
    let error = Client::connect(&other).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn event_streams_polls_and_calls_work_over_https() {
    let secure = Secure::start("").await;
    let request = |what: &str, peer: &str| {
        format!(
            "{what} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            token(peer).expose()
        )
    };
    let ready = secure.https(&request("GET /v1/ready", "alice"));
    assert!(ready.starts_with("HTTP/1.1 200 "), "{ready}");
    let poll = secure.https(&request("GET /v1/poll", "alice"));
    assert!(poll.contains("\"welcome\""), "{poll}");
    let tcp = TcpStream::connect(secure.address()).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut events = secure.trust().secure("localhost", tcp).unwrap();
    events
        .write_all(request("GET /v1/events", "bob").as_bytes())
        .unwrap();
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("\"welcome\"") {
        let mut bytes = [0; 1024];
        let count = events.read(&mut bytes).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&bytes[..count]);
    }
    assert!(String::from_utf8_lossy(&got).contains("text/event-stream"));
}

#[tokio::test]
async fn the_own_origin_of_a_node_with_tls_is_https() {
    let secure = Secure::start("").await;
    let port = secure.node.process.public_port();
    for (scheme, is_own) in [("https", true), ("http", false)] {
        let options = secure
            .options("alice")
            .origin(format!("{scheme}://localhost:{port}"));
        assert_eq!(Client::connect(&options).await.is_ok(), is_own, "{scheme}");
    }
}

#[tokio::test]
async fn backends_need_a_certificate_where_their_port_wants_one_and_peers_do_not() {
    let authority = certificates();
    let api = switchboard_harness::Port::reserve().unwrap();
    let config = format!(
        "{ALONE}[server]\napi_listen = \"127.0.0.1:{}\"\n[server.tls]\n{}[server.api_tls]\n{}client_ca_file = {:?}\n",
        api.number(),
        files(&authority),
        files(&authority),
        authority.ca_file()
    );
    let secure = Secure::spawn_with(authority, &config);
    secure.node.process.wait_ready().await.unwrap();
    drop(secure.connect("alice").await);
    let identity = secure.authority.issue("backend", &["backend"]).unwrap();
    let address = ([127, 0, 0, 1], api.number()).into();
    let call = "GET /v1/rooms HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(https(address, &secure.trust(), call).is_err());
    let known = secure
        .trust()
        .with_identity(&identity.certificate, &identity.key)
        .unwrap();
    let answer = https(address, &known, call).unwrap();
    // A certificate is not a token.
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn only_tls_1_3_is_spoken_where_that_is_set_also_by_a_variable() {
    let (authority, folder) = (certificates(), tempfile::tempdir().unwrap());
    let file = folder.path().join("node.toml");
    let config = format!(
        "[auth]\nhs256_secret = \"{}\"\n[server.tls]\n{}",
        crate::common::SECRET,
        files(&authority)
    );
    std::fs::write(&file, config).unwrap();
    let print = |value: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["config", "check", "--config", file.to_str().unwrap()])
            .env("SWITCHBOARD__SERVER__TLS__MIN_VERSION", value)
            .output()
            .unwrap()
    };
    for (value, is_right) in [("1.2", true), ("1.3", true), ("1.1", false)] {
        let output = print(value);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), is_right, "{value}: {said}");
        assert!(is_right || said.contains("server.tls.min_version"), "{said}");
    }
}
