//! Who may call, and from where.

use std::net::TcpListener;

use reqwest::Method;
use switchboard_client::{Client, ConnectError, ConnectOptions};
use switchboard_protocol::{Claims, Role, SwitchboardClaims};
use switchboard_testkit::{Cluster, sign, token};

use crate::{Answer, Backend, answer, backend_claims};

const CALL: &str = "/v1/peers/bob/messages";

async fn say(backend: &Backend) -> Answer {
    backend.post(CALL, r#"{"payload":1}"#).await
}

#[tokio::test]
async fn a_call_needs_a_backends_token_in_its_header() {
    let cluster = Cluster::start(1).await.unwrap();
    let port = cluster.nodes[0].public_port();
    let peer = Backend::at(port, token("alice").unwrap());
    assert_eq!(say(&peer).await.says(), (403, "not-allowed"));
    let expired = Claims {
        exp: 1,
        ..backend_claims("default")
    };
    let expired = Backend::at(port, sign(&expired).unwrap());
    assert_eq!(say(&expired).await.says(), (401, "token-expired"));
    let good = Backend::of(&cluster.nodes[0]);
    let url = format!("{}{CALL}?access_token={}", good.base, good.token.expose());
    let in_query = good.http.post(url).header("content-type", "application/json");
    let in_query = answer(in_query.body(r#"{"payload":1}"#)).await;
    assert_eq!(in_query.says(), (401, "token-missing"));
    let page = good
        .request(Method::POST, CALL)
        .header("origin", "https://evil.example");
    assert_eq!(answer(page).await.says(), (403, "origin-not-allowed"));
    assert_eq!(say(&good).await.says(), (404, "peer-offline"));
}

#[tokio::test]
async fn a_backend_reaches_only_peers_of_its_tenant_that_its_token_allows() {
    let cluster = Cluster::start(1).await.unwrap();
    let port = cluster.nodes[0].public_port();
    let _bob = cluster.connect(0, "bob").await.unwrap();
    let other = Backend::at(port, sign(&backend_claims("other")).unwrap());
    assert_eq!(say(&other).await.says(), (404, "peer-offline"));
    let narrow = Claims {
        switchboard: SwitchboardClaims {
            role: Role::Backend,
            send: Some(vec!["team-*".into()]),
            ..SwitchboardClaims::default()
        },
        ..backend_claims("default")
    };
    let narrow = Backend::at(port, sign(&narrow).unwrap());
    assert_eq!(say(&narrow).await.says(), (403, "not-allowed"));
    for name in ["other%2Fbob", "b%20b", "%FF", "", &"b".repeat(129)] {
        let path = format!("/v1/peers/{name}/messages");
        let refused = Backend::of(&cluster.nodes[0])
            .post(&path, r#"{"payload":1}"#)
            .await;
        assert_eq!(refused.says(), (400, "bad-id"), "{name}");
    }
}

#[tokio::test]
async fn no_client_can_pass_for_the_backend() {
    let cluster = Cluster::start(1).await.unwrap();
    let options = ConnectOptions::new(cluster.nodes[0].url(), token("@backend").unwrap());
    match Client::connect(&options).await {
        Err(ConnectError::Refused { status, problem, .. }) => {
            assert_eq!((status, problem.unwrap().code.as_str()), (403, "token-claims"));
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_port_of_its_own_takes_the_api_off_the_public_port() {
    let reserved = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = reserved.local_addr().unwrap().port();
    drop(reserved);
    let config = format!("[server]\napi_listen = \"127.0.0.1:{own}\"\n");
    let cluster = Cluster::start_with(1, &config).await.unwrap();
    let public = Backend::of(&cluster.nodes[0]);
    let private = Backend::at(own, public.token.clone());
    assert_eq!(say(&public).await.says(), (404, "not-found"));
    assert_eq!(say(&private).await.says(), (404, "peer-offline"));
    for document in ["/v1/openapi.json", "/v1/ice?peer=bob"] {
        assert_eq!(private.get(document).await.status, 200, "{document}");
    }
    assert_eq!(public.get("/v1/openapi.json").await.status, 404);
    assert_eq!(
        private.get("/v1/ready").await.status,
        404,
        "peers use the public port"
    );
}

#[tokio::test]
async fn calls_over_the_rate_or_the_places_of_the_tenant_say_when_to_come_back() {
    let limits = "[limits]\nmessages_per_second = 1\nmessage_burst = 3\n";
    let cluster = Cluster::start_with(1, limits).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut last = say(&backend).await;
    for _ in 0..3 {
        last = say(&backend).await;
    }
    assert_eq!(last.says(), (429, "rate-limited"));
    assert!(
        last.body["retry_after_ms"]
            .as_u64()
            .is_some_and(|wait| wait <= 1_000)
    );
    assert_eq!(last.retry_after.as_deref(), Some("1"));
    let another = Backend::at(
        cluster.nodes[0].public_port(),
        sign(&Claims {
            sub: "another-app".into(),
            ..backend_claims("default")
        })
        .unwrap(),
    );
    assert_eq!(
        say(&another).await.says(),
        (404, "peer-offline"),
        "it has a rate of its own"
    );
}

#[tokio::test]
async fn a_backend_gets_ice_servers_for_a_peer() {
    let ice = "[ice]\nturn_urls = [\"turn:turn.example:3478\"]\nturn_secret = \"north-of-the-wall\"\n";
    let cluster = Cluster::start_with(1, ice).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let servers = backend.get("/v1/ice?peer=bob").await;
    assert_eq!(servers.status, 200);
    assert!(servers.body["ice_servers"].to_string().contains(":bob"));
    assert!(servers.body["expires_at"].as_u64().is_some_and(|at| at > 0));
    assert_eq!(backend.get("/v1/ice?peer=b%20b").await.says(), (400, "bad-id"));
    assert_eq!(
        backend.get("/v1/ice?peer=bob&pear=1").await.says(),
        (400, "bad-query")
    );
    let peer = Backend::at(cluster.nodes[0].public_port(), token("alice").unwrap());
    assert_eq!(peer.get("/v1/ice?peer=bob").await.says(), (403, "not-allowed"));
    let own = peer.get("/v1/ice").await;
    assert!(own.body["ice_servers"].to_string().contains(":alice"));
}
