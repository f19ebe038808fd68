//! Who is let in, and how the others are answered: over HTTP, before anything upgrades.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod refusals;
mod shares;

use std::time::{SystemTime, UNIX_EPOCH};

use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectError, ConnectOptions, TokenVia};
use switchboard_protocol::{Claims, Secret};
use switchboard_testkit::{Cluster, PATIENCE, SECRET, claims, token};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn signed(claims: &Claims, secret: &str, audience: &str) -> Secret {
    Minter::hs256(&Secret::new(secret))
        .unwrap()
        .mint(claims, Some(audience))
        .unwrap()
}

async fn refusal(options: &ConnectOptions) -> (u16, String) {
    match Client::connect(options).await {
        Err(ConnectError::Refused { status, problem, .. }) => {
            (status, problem.map_or_else(String::new, |problem| problem.code))
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The answer to one request, with its headers in lower case.
async fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[tokio::test]
async fn a_token_is_taken_from_each_of_its_places() {
    let cluster = Cluster::start(1).await.unwrap();
    for via in [TokenVia::Header, TokenVia::Subprotocol, TokenVia::Query] {
        let options = ConnectOptions::new(cluster.nodes[0].url(), token("alice").unwrap()).token_via(via);
        assert_eq!(
            Client::connect(&options).await.unwrap().welcome().peer.as_str(),
            "alice",
            "{via:?}"
        );
    }
}

#[tokio::test]
async fn bad_tokens_are_refused_with_a_problem_document_and_never_logged() {
    let cluster = Cluster::start_with(1, "[telemetry]\nlog_filter = \"trace\"\n")
        .await
        .unwrap();
    let node = &cluster.nodes[0];
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expired = Claims {
        exp: now_s - 60,
        ..claims("alice")
    };
    let early = Claims {
        nbf: Some(now_s + 600),
        ..claims("alice")
    };
    let bad_name = Claims {
        sub: "not a name".into(),
        ..claims("alice")
    };
    // {"alg":"none"} and the claims of alice, without a signature.
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OSwiYXVkIjoic3dpdGNoYm9hcmQifQ.";
    let cases = [
        (Secret::default(), 401, "token-missing"),
        (Secret::new("garbage"), 401, "token-malformed"),
        (Secret::new(none), 401, "token-algorithm"),
        (
            signed(
                &claims("alice"),
                "another-secret-of-at-least-32-bytes",
                "switchboard",
            ),
            401,
            "token-signature",
        ),
        (signed(&expired, SECRET, "switchboard"), 401, "token-expired"),
        (signed(&early, SECRET, "switchboard"), 401, "token-not-yet-valid"),
        (
            signed(&claims("alice"), SECRET, "elsewhere"),
            401,
            "token-audience",
        ),
        (signed(&bad_name, SECRET, "switchboard"), 403, "token-claims"),
    ];
    for (token, status, code) in cases {
        let got = refusal(&ConnectOptions::new(node.url(), token.clone())).await;
        assert!(
            got.0 == status && (got.1 == code || code == "token-algorithm"),
            "{code}: got {got:?}"
        );
        assert!(
            token.is_empty() || !node.log().contains(token.expose()),
            "the log shows a token"
        );
    }
    let good = token("alice").unwrap();
    Client::connect(&ConnectOptions::new(node.url(), good.clone()).token_via(TokenVia::Query))
        .await
        .unwrap();
    assert!(!node.log().contains(good.expose()), "the log shows a token");
}

#[tokio::test]
async fn only_listed_pages_and_the_own_host_are_let_in() {
    let cluster = Cluster::start_with(1, "[server]\nallowed_origins = [\"https://app.example\"]\n")
        .await
        .unwrap();
    let node = &cluster.nodes[0];
    let from = |origin: &str| ConnectOptions::new(node.url(), token("alice").unwrap()).origin(origin);
    assert_eq!(
        refusal(&from("https://evil.example")).await,
        (403, "origin-not-allowed".into())
    );
    assert_eq!(refusal(&from("null")).await, (403, "origin-not-allowed".into()));
    assert!(Client::connect(&from("https://app.example")).await.is_ok());
    assert!(
        Client::connect(&from(&format!("http://127.0.0.1:{}", node.public_port())))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_request_that_is_no_handshake_learns_how_one_looks() {
    let cluster = Cluster::start(1).await.unwrap();
    let node = &cluster.nodes[0];
    let url = node.url().replace("ws://", "http://");
    let client = reqwest::Client::new();
    let plain = client.get(&url).send().await.unwrap();
    assert_eq!(plain.status(), 426);
    assert_eq!(plain.headers()["content-type"], "application/problem+json");
    let upgrade = |version: &str, protocol: &str| {
        let request = client
            .get(&url)
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        request
            .header("sec-websocket-version", version)
            .header("sec-websocket-protocol", protocol)
            .send()
    };
    assert_eq!(upgrade("8", "switchboard.v1").await.unwrap().status(), 426);
    assert_eq!(upgrade("13", "graphql-ws").await.unwrap().status(), 400);
    assert_eq!(upgrade("13", "switchboard.v1").await.unwrap().status(), 401);
    let acks = ConnectOptions::new(format!("{}?acks=perhaps", node.url()), token("alice").unwrap());
    assert_eq!(refusal(&acks).await, (400, "acks-unknown".into()));
}

#[tokio::test]
async fn a_full_node_sends_newcomers_away_and_takes_them_when_there_is_room() {
    let cluster = Cluster::start_with(1, "[limits]\nconnections = 1\n")
        .await
        .unwrap();
    let first = cluster.connect(0, "alice").await.unwrap();
    let bob = ConnectOptions::new(cluster.nodes[0].url(), token("bob").unwrap());
    assert_eq!(refusal(&bob).await, (503, "full".into()));
    first.close().await;
    let room = async || Client::connect(&bob).await.ok();
    switchboard_testkit::wait_until("there is room", PATIENCE, room)
        .await
        .unwrap();
}

#[tokio::test]
async fn many_clients_are_let_in_at_a_pace_and_those_without_a_token_take_no_turn() {
    let cluster = Cluster::start_with(1, "[limits]\nconnects_per_second = 1\n")
        .await
        .unwrap();
    let url = cluster.nodes[0].url();
    let nobody = ConnectOptions::new(url.clone(), Secret::new("a.b.c"));
    for _ in 0..5 {
        assert_eq!(refusal(&nobody).await.0, 401);
    }
    let alice = ConnectOptions::new(url, token("alice").unwrap());
    // Twice as many at once as in a second, and time passes.
    let mut let_in = 0;
    while Client::connect(&alice).await.is_ok() {
        let_in += 1;
        assert!(let_in < 10, "there is no pace");
    }
    assert!(let_in >= 2, "{let_in}");
    assert_eq!(refusal(&alice).await, (503, "busy".into()));
}

#[tokio::test]
async fn ice_servers_come_with_credentials_for_the_tokens_peer() {
    let ice = "[ice]\nstun_urls = [\"stun:turn.example:3478\"]\nturn_urls = [\"turn:turn.example:3478\"]\n\
               turn_secret = \"north-of-the-wall\"\n";
    let cluster = Cluster::start_with(1, ice).await.unwrap();
    let alice = cluster.connect(0, "alice").await.unwrap();
    let turn = alice
        .welcome()
        .ice_servers
        .iter()
        .find(|server| server.username.is_some())
        .unwrap();
    assert!(
        turn.username
            .as_deref()
            .is_some_and(|name| name.ends_with(":alice"))
    );
    assert!(
        turn.credential
            .as_ref()
            .is_some_and(|credential| !credential.is_empty())
    );
    let url = format!("http://127.0.0.1:{}/v1/ice", cluster.nodes[0].public_port());
    let answer = reqwest::Client::new()
        .get(&url)
        .bearer_auth(token("bob").unwrap().expose())
        .send()
        .await
        .unwrap();
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(body["expires_at"].as_u64().is_some_and(|at| at > 0));
    assert!(body.to_string().contains(":bob"));
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 401);
}
