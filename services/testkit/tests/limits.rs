//! Bounds that several nodes share, bounds that tokens state, and the address that a balancer names.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{num::NonZeroU32, time::Duration};

use switchboard_client::{Client, ConnectError, ConnectOptions};
use switchboard_protocol::{Claims, Command, ErrorCode, Event, GrantLimits, JoinCommand, SwitchboardClaims};
use switchboard_testkit::{Cluster, PATIENCE, claims, sign, token, wait_until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn with_limits(peer: &str, limits: GrantLimits) -> Claims {
    Claims {
        switchboard: SwitchboardClaims {
            limits: Some(limits),
            ..SwitchboardClaims::default()
        },
        ..claims(peer)
    }
}

#[tokio::test]
async fn a_quota_counts_the_connections_on_all_nodes_and_those_of_a_dead_node_are_forgotten() {
    let cluster = Cluster::start_with(2, "[limits]\ntenant_connections = 2\n")
        .await
        .unwrap();
    let _alice = cluster.connect(0, "alice").await.unwrap();
    let _bob = cluster.connect(1, "bob").await.unwrap();
    for index in [0, 1] {
        let url = cluster.nodes[index].url();
        let options = ConnectOptions::new(url, token("carol").unwrap());
        let refused = async || match Client::connect(&options).await {
            // Connects in a loop have a pace, too, and that is another refusal.
            Err(ConnectError::Refused { problem, .. }) => problem.filter(|problem| problem.code == "full"),
            Ok(client) => {
                client.close().await;
                None
            }
            Err(_) => None,
        };
        wait_until("the nodes know of each other", PATIENCE, refused)
            .await
            .unwrap();
    }
    cluster.nodes[1].kill().await.unwrap();
    let options = ConnectOptions::new(cluster.nodes[0].url(), token("carol").unwrap());
    let taken = async || Client::connect(&options).await.ok();
    wait_until("the dead node counts no more", Duration::from_secs(30), taken)
        .await
        .unwrap();
}

#[tokio::test]
async fn welcome_states_the_rate_that_a_token_claims_within_the_operators() {
    let cluster = Cluster::start_with(1, "[limits]\nmax_messages_per_second = 2000\n")
        .await
        .unwrap();
    for (claimed, stated) in [(7, 7), (1500, 1500), (9000, 2000)] {
        let limits = GrantLimits {
            messages_per_second: NonZeroU32::new(claimed),
            ..GrantLimits::default()
        };
        let token = sign(&with_limits("alice", limits)).unwrap();
        let options = ConnectOptions::new(cluster.nodes[0].url(), token);
        let alice = Client::connect(&options).await.unwrap();
        assert_eq!(alice.welcome().limits.messages_per_second, stated);
    }
}

#[tokio::test]
async fn welcome_states_the_bounds_of_holds_rooms_and_watches() {
    let bounds = "[limits]\nhold_ms = 1234\nrooms_per_peer = 5\nwatched_per_peer = 6\n";
    let cluster = Cluster::start_with(1, bounds).await.unwrap();
    let alice = cluster.connect(0, "alice").await.unwrap();
    let stated = alice.welcome().limits;
    assert_eq!(
        (stated.hold_ms, stated.rooms_per_peer, stated.watched_per_peer),
        (1234, 5, 6)
    );
}

#[tokio::test]
async fn a_token_bounds_the_rooms_of_its_tenant_and_the_refusal_is_counted() {
    let cluster = Cluster::start(1).await.unwrap();
    let limits = GrantLimits {
        rooms_per_tenant: NonZeroU32::new(2),
        ..GrantLimits::default()
    };
    let token = sign(&with_limits("alice", limits)).unwrap();
    let options = ConnectOptions::new(cluster.nodes[0].url(), token);
    let mut alice = Client::connect(&options).await.unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    for room in ["one", "two"] {
        assert!(matches!(join(&mut alice, room).await, Event::Joined(_)), "{room}");
    }
    let refused = join(&mut alice, "three").await;
    let Event::Error { code, message, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*code, ErrorCode::RoomFull);
    assert!(message.contains("tenant"), "{message}");
    let metrics = cluster.nodes[0].get("/metrics").await.unwrap().body;
    assert!(
        metrics.contains("switchboard_room_joins_total{outcome=\"too-many-rooms\"} 1"),
        "{metrics}"
    );
    assert!(
        matches!(join(&mut bob, "three").await, Event::Joined(_)),
        "bob's token has no bound, and the operator sets none"
    );
}

async fn join(client: &mut Client, room: &str) -> Event {
    let join = JoinCommand {
        room: room.into(),
        info: None,
        id: Some(client.next_id()),
    };
    client.request(&Command::Join(join), PATIENCE).await.unwrap()
}

/// The status of a request behind these bytes; `None` for a connection that is closed without an answer.
async fn status_behind(port: u16, header: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(header).await.unwrap();
    let token = token("alice").unwrap();
    let request = format!(
        "GET /v1/ice HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        token.expose()
    );
    // A node that has closed the connection takes nothing.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.split(' ').nth(1).map(str::to_owned)
}

#[tokio::test]
async fn a_balancer_that_forwards_tcp_names_the_client_and_each_client_has_its_own_rate() {
    let config = "[server]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]\n\
                  [limits]\naddress_requests_per_second = 1\n";
    let cluster = Cluster::start_with(1, config).await.unwrap();
    let port = cluster.nodes[0].public_port();
    let of = |last: u8| format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 54321 443\r\n");
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(status_behind(port, of(1).as_bytes()).await.unwrap());
    }
    assert_eq!(statuses[0], "200");
    assert_eq!(statuses.last().unwrap(), "503", "{statuses:?}");
    assert_eq!(
        status_behind(port, of(2).as_bytes()).await.as_deref(),
        Some("200")
    );
    let version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x03\x0a\0\0\x01\xd4\x31\x01\xbb";
    assert_eq!(status_behind(port, version_2).await.as_deref(), Some("200"));
    assert_eq!(status_behind(port, b"").await, None, "no header, no answer");
    let metrics = cluster.nodes[0].get("/metrics").await.unwrap().body;
    assert!(
        metrics.contains("switchboard_http_refusals_total{reason=\"proxy-header\"} 1"),
        "{metrics}"
    );
    drop(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
}
