//! How long it takes from a call on one node until a connection on another node is closed.

use std::time::{Duration, Instant};

use reqwest::Method;
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::{Claims, CloseCode};
use switchboard_testkit::{Cluster, PATIENCE, claims, sign};

use crate::{Answer, Backend, answer};

/// Calls of each kind that are measured.
const CALLS: usize = 100;

/// The promise of docs/backend-api.md.
const PROMISED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn kicks_and_revocations_close_connections_on_another_node_within_a_second() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let kick = async |peer: &str| {
        let path = format!("/v1/peers/{peer}");
        answer(backend.request(Method::DELETE, &path)).await
    };
    measure(&cluster, "kick", CloseCode::Kicked, kick).await;
    let until = claims("any").exp;
    let revoke = async |peer: &str| {
        let body = format!("{{\"jti\":\"{peer}\",\"until\":{until}}}");
        backend.post("/v1/revocations", &body).await
    };
    measure(&cluster, "revocation", CloseCode::TokenEnded, revoke).await;
}

/// Calls for one peer after the other, each connected to the second node. The name of a peer is also the `jti` of its token.
async fn measure(cluster: &Cluster, what: &str, code: CloseCode, call: impl AsyncFn(&str) -> Answer) {
    let mut times = Vec::with_capacity(CALLS);
    for number in 0..CALLS {
        let peer = format!("{what}-{number}");
        let claims = Claims {
            jti: Some(peer.clone()),
            ..claims(&peer)
        };
        let options = ConnectOptions::new(cluster.nodes[1].url(), sign(&claims).unwrap());
        let mut client = Client::connect(&options).await.unwrap();
        let start = Instant::now();
        let closed = async {
            let closed = client.closed(PATIENCE).await.unwrap();
            (closed.0, start.elapsed())
        };
        let (answer, (closed_with, time)) = tokio::join!(call(&peer), closed);
        assert!(answer.status < 300, "{answer:?}");
        assert_eq!(closed_with, code.code());
        times.push(time);
    }
    times.sort_unstable();
    let (median, p99) = (times[CALLS / 2], times[CALLS * 99 / 100 - 1]);
    println!("{what}: median {median:?}, p99 {p99:?} of {CALLS}");
    assert!(p99 < PROMISED, "{what}: {p99:?}");
}
