//! Peers that are removed and tokens that are refused, from one node on another.

use reqwest::Method;
use switchboard_client::{Client, ConnectError, ConnectOptions};
use switchboard_protocol::Claims;
use switchboard_testkit::{Cluster, PATIENCE, claims, sign, wait_until};

use crate::{Answer, Backend, answer};

async fn kick(backend: &Backend, path: &str) -> Answer {
    answer(backend.request(Method::DELETE, path)).await
}

fn now_s() -> u64 {
    claims("now").exp - 600
}

fn options(cluster: &Cluster, node: usize, claims: &Claims) -> ConnectOptions {
    ConnectOptions::new(cluster.nodes[node].url(), sign(claims).unwrap())
}

/// The code of the refusal that a new connection gets, once it gets one.
async fn is_refused(options: &ConnectOptions, code: &str) {
    let refused = async || match Client::connect(options).await {
        Err(ConnectError::Refused { problem, .. }) => {
            problem.is_some_and(|problem| problem.code == code).then_some(())
        }
        _ => None,
    };
    wait_until("the token is refused", PATIENCE, refused)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kicked_peer_has_no_session_and_its_tokens_are_refused_if_asked_for() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let bob = Claims {
        iat: Some(now_s()),
        ..claims("bob")
    };
    let bob = options(&cluster, 1, &bob);
    let _first = Client::connect(&bob).await.unwrap();
    let kicked = kick(&backend, "/v1/peers/bob").await;
    assert_eq!(
        (kicked.status, kicked.body["had_session"].as_bool()),
        (200, Some(true))
    );
    assert_eq!(backend.get("/v1/peers/bob").await.body["state"], "offline");
    let _second = Client::connect(&bob).await.unwrap();
    let path = format!("/v1/peers/bob?revoke_until={}", now_s() + 600);
    assert_eq!(kick(&backend, &path).await.status, 200);
    is_refused(&bob, "token-revoked").await;
    let again = kick(&backend, "/v1/peers/bob").await;
    assert_eq!(
        (again.status, again.body["had_session"].as_bool()),
        (200, Some(false))
    );
    assert_eq!(
        kick(&backend, "/v1/peers/bob?revoke_until=1").await.says(),
        (422, "bad-time")
    );
    assert_eq!(
        kick(&backend, "/v1/peers/bob?revoke=1").await.says(),
        (400, "bad-query")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_on_another_node_and_the_list_has_it_in_pages() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let until = now_s() + 600;
    let bob = Claims {
        jti: Some("token-1".into()),
        ..claims("bob")
    };
    for jti in ["token-1", "token-2", "token-3"] {
        let body = format!("{{\"jti\":\"{jti}\",\"until\":{until}}}");
        let revoked = backend.post("/v1/revocations", &body).await;
        assert_eq!((revoked.status, revoked.body["jti"].as_str()), (201, Some(jti)));
    }
    is_refused(&options(&cluster, 1, &bob), "token-revoked").await;
    let first = backend.get("/v1/revocations?limit=2").await;
    assert_eq!(first.body["revocations"].as_array().map(Vec::len), Some(2));
    let next = first.body["next"]
        .as_str()
        .unwrap()
        .replace(' ', "%20")
        .replace('/', "%2F");
    let second = backend
        .get(&format!("/v1/revocations?limit=2&cursor={next}"))
        .await;
    assert_eq!(second.body["revocations"][0]["jti"], "token-3");
    assert!(second.body.get("next").is_none());
    let longest = format!("{{\"jti\":\"{}\",\"until\":{until}}}", "é".repeat(256));
    assert_eq!(backend.post("/v1/revocations", &longest).await.status, 201);
    for body in [
        format!("{{\"until\":{until}}}"),
        format!("{{\"jti\":\"a\",\"peer\":\"b\",\"until\":{until}}}"),
        format!("{{\"jti\":\"\",\"until\":{until}}}"),
        format!("{{\"jti\":\"{}\",\"until\":{until}}}", "é".repeat(257)),
        format!("{{\"jti\":\"a\",\"issued_before\":1,\"until\":{until}}}"),
    ] {
        assert_eq!(
            backend.post("/v1/revocations", &body).await.says(),
            (400, "bad-body"),
            "{body}"
        );
    }
}
