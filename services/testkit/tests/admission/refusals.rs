//! How requests are refused: words, headers and counts for each of them, and for pages an address that says why.

use std::time::{SystemTime, UNIX_EPOCH};

use switchboard_client::ConnectOptions;
use switchboard_protocol::{Claims, Secret};
use switchboard_testkit::{Cluster, PATIENCE, SECRET, claims, token, wait_until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{raw, refusal, signed};

#[tokio::test]
async fn a_page_learns_why_its_handshake_would_be_refused() {
    let config = "[server]\nallowed_origins = [\"https://*.app.example\"]\n[limits]\nconnections = 1\n\
                  [drain]\nsettle_ms = 100\nwindow_ms = 300\ngrace_ms = 5000\ndeadline_ms = 8000\n";
    let cluster = Cluster::start_with(1, config).await.unwrap();
    let node = &cluster.nodes[0];
    let url = format!("http://127.0.0.1:{}/v1/ready", node.public_port());
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expired = Claims {
        exp: now_s - 60,
        ..claims("alice")
    };
    let ask = async |token: &Secret, origin: &str| {
        let request = reqwest::Client::new()
            .get(&url)
            .bearer_auth(token.expose())
            .header("origin", origin);
        let answer = request.send().await.unwrap();
        let readable = answer.headers().get("access-control-allow-origin").is_some();
        let exposed = answer.headers().get("access-control-expose-headers").cloned();
        let status = answer.status().as_u16();
        let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        if status == 503 {
            let exposed = exposed.unwrap();
            let mut names = exposed.to_str().unwrap().split(',').map(str::trim);
            assert!(names.any(|name| name == "retry-after"), "{exposed:?}");
        }
        (
            status,
            readable,
            body["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let (alice, page) = (token("alice").unwrap(), "https://eu.app.example");
    let ready = || (200, true, String::new());
    assert_eq!(ask(&alice, page).await, ready());
    assert_eq!(ask(&alice, page).await, ready(), "asking opens nothing");
    assert_eq!(
        ask(&signed(&expired, SECRET, "switchboard"), page).await,
        (401, true, "token-expired".into())
    );
    assert_eq!(
        ask(&alice, "https://evil.example").await,
        (403, false, "origin-not-allowed".into())
    );
    let _first = cluster.connect(0, "bob").await.unwrap();
    assert_eq!(ask(&alice, page).await, (503, true, "full".into()));
    node.drain().await.unwrap();
    let draining = async || (ask(&alice, page).await == (503, true, "draining".into())).then_some(());
    wait_until("the page learns of the drain", PATIENCE, draining)
        .await
        .unwrap();
    let preflight = reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", page)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    assert_eq!(preflight.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_refused_origin_is_named_in_the_log_once() {
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    let page = ConnectOptions::new(node.url(), token("alice").unwrap()).origin("https://forgotten.example");
    for _ in 0..5 {
        assert_eq!(refusal(&page).await.0, 403);
    }
    let log = node.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("forgotten.example"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("server.allowed_origins"));
}

#[tokio::test]
async fn a_credential_of_a_gateway_does_not_hide_the_token_that_is_meant() {
    let cluster = Cluster::start(1).await.unwrap();
    let port = cluster.nodes[0].public_port();
    let good = token("alice").unwrap();
    let foreign = signed(
        &claims("mallory"),
        "another-secret-of-at-least-32-bytes",
        "switchboard",
    );
    let status = async |protocols: &str, query: &str, authorization: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!(
            "GET /v1/ws{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: switchboard.v1{protocols}\r\nAuthorization: {authorization}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[9..]).into_owned()
    };
    let (good, foreign) = (good.expose(), foreign.expose());
    let in_protocol = format!(", bearer.{good}");
    let in_query = format!("?access_token={good}");
    assert_eq!(
        status(&in_protocol, "", "Bearer opaque-of-a-gateway").await,
        "101"
    );
    assert_eq!(status(&in_protocol, "", "Basic dXNlcjpwYXNz").await, "101");
    assert_eq!(
        status(&in_protocol, "", &format!("Bearer {foreign}")).await,
        "101"
    );
    assert_eq!(status("", &in_query, "Bearer opaque-of-a-gateway").await, "101");
    assert_eq!(
        status("", "?access_token=opaque", &format!("Bearer {good}")).await,
        "101"
    );
    assert_eq!(
        status(", bearer.opaque", "?access_token=", "Bearer opaque").await,
        "401"
    );
}

#[tokio::test]
async fn every_refusal_has_words_headers_and_a_count() {
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    let port = node.public_port();
    let cookies = format!("Cookie: {}\r\n", "c".repeat(16_600));
    let huge = format!("Cookie: {}\r\n", "c".repeat(100_000));
    let many: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    let websocket =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let old = format!("{websocket}Sec-WebSocket-Version: 8\r\n");
    let cases = [
        (
            "GET",
            "/v1/ws",
            cookies.as_str(),
            "431",
            "server.request_head_bytes",
        ),
        ("GET", "/v1/ws", many.as_str(), "431", "server.request_head_bytes"),
        ("GET", "/v1/ws", old.as_str(), "426", "sec-websocket-version: 13"),
        ("GET", "/v1/ws", "", "426", "upgrade: websocket"),
        ("GET", "/v1/ws/", "", "404", "/v1/ready"),
        ("GET", "/nothing", "", "404", "/v1/ws"),
        ("POST", "/v1/ws", "", "405", "allow: get"),
        ("DELETE", "/v1/ice", "", "405", "allow: get"),
    ];
    for (method, path, headers, status, words) in cases {
        let answer = raw(
            port,
            &format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"),
        )
        .await;
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{method} {path}: {answer}"
        );
        for part in [
            words,
            "content-type: application/problem+json",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "frame-ancestors 'none'",
            "\"code\":",
        ] {
            assert!(answer.contains(part), "{method} {path}: no `{part}` in {answer}");
        }
    }
    let answer = raw(port, &format!("GET /v1/ws HTTP/1.1\r\nHost: x\r\n{huge}\r\n")).await;
    assert!(
        answer.is_empty() || answer.starts_with("http/1.1 431"),
        "{answer}"
    );
    for (reason, count) in [("not-found", 2.0), ("method", 2.0), ("head-too-large", 3.0)] {
        let series = format!("switchboard_http_refusals_total{{reason=\"{reason}\"}}");
        let counted = async || node.metric(&series).await.filter(|value| *value == count);
        wait_until(&series, PATIENCE, counted).await.unwrap();
    }
}
