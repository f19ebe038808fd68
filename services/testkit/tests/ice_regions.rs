//! Which region's TURN servers a client gets: its token decides, then a trusted proxy, then the client, over each transport.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::Value;
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::{Claims, Command, Event, IceServer, RegionId, Role, Secret, SwitchboardClaims};
use switchboard_testkit::{Cluster, NodeProcess, PATIENCE, claims, sign, token};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// Requests from this address are those of a trusted proxy.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

const REGIONS: &str = r#"
    [server]
    trusted_proxies = ["127.0.0.3"]
    [ice]
    turn_urls = ["turn:all.example"]
    turn_secret = "north-of-the-wall"
    region_header = "CF-IPCountry"
    [[ice.regions]]
    name = "eu"
    header_values = ["DE", "FR"]
    turn_urls = ["turn:eu.example"]
    turn_ttl_s = 60
    [[ice.regions]]
    name = "us"
    header_values = ["US"]
    turn_urls = ["turn:us.example"]
    turn_secret = "of-us"
"#;

async fn node() -> Cluster {
    Cluster::start_with(1, REGIONS).await.unwrap()
}

fn http(node: &NodeProcess, path: &str) -> String {
    let base = node.url().replacen("ws://", "http://", 1);
    base.replacen("/v1/ws", path, 1)
}

fn in_region(peer: &str, region: &str) -> Claims {
    let switchboard = SwitchboardClaims {
        region: Some(RegionId::new(region).unwrap()),
        ..SwitchboardClaims::default()
    };
    Claims {
        switchboard,
        ..claims(peer)
    }
}

/// The host of the TURN server in an answer or a `welcome`.
fn host(answer: &Value) -> &str {
    let url = answer["ice_servers"][0]["urls"][0].as_str().unwrap();
    url.strip_prefix("turn:").unwrap()
}

fn host_of(servers: &[IceServer]) -> &str {
    servers[0].urls[0].strip_prefix("turn:").unwrap()
}

/// A GET from `from`, with the header in which proxies name a region.
fn get(url: String, from: IpAddr, header: Option<&str>, token: &Secret) -> reqwest::RequestBuilder {
    let client = reqwest::Client::builder().local_address(from).build().unwrap();
    let request = client.get(url).bearer_auth(token.expose()).timeout(PATIENCE);
    match header {
        Some(value) => request.header("cf-ipcountry", value),
        None => request,
    }
}

#[tokio::test]
async fn a_token_decides_before_a_trusted_proxy_and_a_proxy_before_the_client() {
    let cluster = node().await;
    let (plain, claimed) = (token("alice").unwrap(), sign(&in_region("alice", "us")).unwrap());
    let foreign = sign(&in_region("alice", "mars")).unwrap();
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for (token, from, header, query, region) in [
        (&plain, client, None, "", None),
        (&plain, client, None, "?region=eu", Some("eu")),
        (&plain, client, None, "?region=DE", None),
        (&plain, client, None, "?region=", None),
        (&plain, client, Some("US"), "", None),
        (&plain, client, Some("US"), "?region=eu", Some("eu")),
        (&plain, PROXY, Some("DE"), "", Some("eu")),
        (&plain, PROXY, Some("eu"), "", Some("eu")),
        (&plain, PROXY, Some("DE"), "?region=us", Some("eu")),
        (&plain, PROXY, Some("JP"), "?region=us", Some("us")),
        (&plain, PROXY, Some("JP"), "", None),
        (&claimed, PROXY, Some("DE"), "?region=eu", Some("us")),
        (&claimed, client, None, "", Some("us")),
        (&foreign, PROXY, Some("DE"), "?region=us", Some("eu")),
        (&foreign, client, None, "", None),
    ] {
        let case = format!("{from} {header:?} {query:?}");
        let url = http(&cluster.nodes[0], &format!("/v1/ice{query}"));
        let answer = get(url, from, header, token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{case}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["region"].as_str(), region, "{case}");
        assert_eq!(
            host(&answer),
            format!("{}.example", region.unwrap_or("all")),
            "{case}"
        );
        let life_s = answer["expires_at"].as_u64().unwrap() - unix_now_s();
        assert_eq!(life_s <= 60, region == Some("eu"), "{case}: {life_s} s");
    }
}

fn unix_now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn the_rule_is_the_same_over_every_transport() {
    let cluster = node().await;
    let node = &cluster.nodes[0];
    for (header, query, wanted) in [
        (None, "", "all.example"),
        (None, "?region=us", "us.example"),
        (Some("FR"), "?region=us", "eu.example"),
    ] {
        let from = header.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |_| PROXY);
        let token = token("alice").unwrap();

        let url = http(node, &format!("/v1/events{query}"));
        let mut events = get(url, from, header, &token).send().await.unwrap();
        let mut text = String::new();
        while !text.contains("}\n\n") {
            text += str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
        }
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        assert_eq!(host(&serde_json::from_str(data).unwrap()), wanted, "events");
        drop(events);

        let url = http(node, &format!("/v1/poll{query}"));
        let batch: Value = get(url, from, header, &token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(host(&batch[0]), wanted, "poll");

        let mut request = format!("{}{query}", node.url()).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert(
            "authorization",
            format!("Bearer {}", token.expose()).parse().unwrap(),
        );
        if let Some(header) = header {
            headers.insert("cf-ipcountry", header.parse().unwrap());
        }
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let address = ("127.0.0.1".parse::<IpAddr>().unwrap(), node.public_port()).into();
        let stream = socket.connect(address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let welcome = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert_eq!(
            host(&serde_json::from_str(&welcome).unwrap()),
            wanted,
            "WebSocket"
        );
    }
}

async fn ask(client: &mut Client) -> String {
    let id = client.next_id();
    let command = Command::Ice { id: Some(id) };
    let answer = client.request(&command, PATIENCE).await.unwrap();
    let Event::Ice { ice_servers, .. } = answer else {
        panic!("expected `ice`, got {answer:?}");
    };
    host_of(&ice_servers).to_owned()
}

#[tokio::test]
async fn a_connection_keeps_its_region_until_a_renewed_token_names_another() {
    let cluster = node().await;
    let mut options = ConnectOptions::new(cluster.nodes[0].url(), token("alice").unwrap());
    options.region = Some(RegionId::new("eu").unwrap());
    let mut alice = Client::connect(&options).await.unwrap();
    assert_eq!(host_of(&alice.welcome().ice_servers), "eu.example");
    assert_eq!(ask(&mut alice).await, "eu.example");
    for (claims, wanted) in [
        (claims("alice"), "eu.example"),
        (in_region("alice", "us"), "us.example"),
        (in_region("alice", "mars"), "us.example"),
    ] {
        let renewed = alice.renew(&sign(&claims).unwrap(), PATIENCE).await.unwrap();
        assert!(matches!(renewed, Event::Renewed { .. }), "{renewed:?}");
        assert_eq!(ask(&mut alice).await, wanted);
    }
}

#[tokio::test]
async fn a_backend_says_where_the_peer_is_and_its_own_place_does_not_count() {
    let cluster = node().await;
    let mut backend = in_region("server", "us");
    backend.switchboard.role = Role::Backend;
    let backend = sign(&backend).unwrap();
    for (query, wanted) in [("", "all.example"), ("&region=eu", "eu.example")] {
        let url = http(&cluster.nodes[0], &format!("/v1/ice?peer=bob{query}"));
        let answer = get(url, PROXY, Some("US"), &backend).send().await.unwrap();
        assert_eq!(host(&answer.json().await.unwrap()), wanted, "{query}");
    }
}
