//! Where peers are, and in which rooms.

use serde_json::json;
use switchboard_protocol::{Claims, LeaveReason, SwitchboardClaims};
use switchboard_testkit::{Cluster, PATIENCE, sign, wait_until};

use crate::{
    Backend, backend_claims,
    rooms::{join, peer_left, remove},
};

#[tokio::test(flavor = "multi_thread")]
async fn any_node_knows_where_a_peer_is() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let bob = cluster.connect(1, "bob").await.unwrap();
    let online = backend.get("/v1/peers/bob").await;
    assert_eq!(
        (online.status, online.body["state"].as_str()),
        (200, Some("online"))
    );
    assert_eq!(
        (online.body["peer"].as_str(), online.body["node"].as_str()),
        (Some("bob"), Some("n2"))
    );
    assert!(
        online.body["connected_for_ms"]
            .as_u64()
            .is_some_and(|age| age < 60_000),
        "{online:?}"
    );
    drop(bob);
    let detached = async || {
        let bob = backend.get("/v1/peers/bob").await;
        let is_detached = bob.body["state"] == "detached" && bob.body.get("node").is_none();
        is_detached.then_some(())
    };
    wait_until("bob is detached", PATIENCE, detached).await.unwrap();
    let nobody = backend.get("/v1/peers/nobody").await;
    assert_eq!(
        (nobody.status, nobody.body["state"].as_str()),
        (200, Some("offline"))
    );
    assert_eq!(backend.get("/v1/peers/b%20b").await.says(), (400, "bad-id"));
}

/// Waits until `peer` has this state and these rooms.
async fn is_seen(backend: &Backend, peer: &str, state: &str, rooms: &[&str]) {
    let path = format!("/v1/peers/{peer}");
    let seen = async || {
        let answer = backend.get(&path).await;
        (answer.body["state"] == state && answer.body["rooms"] == json!(rooms)).then_some(())
    };
    let what = format!("{peer} is {state} in {rooms:?}");
    wait_until(&what, PATIENCE, seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_knows_the_rooms_of_a_peer_until_its_session_ends() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    is_seen(&backend, "bob", "online", &[]).await;
    join(&mut bob, "lobby").await;
    join(&mut bob, "call:1").await;
    is_seen(&backend, "bob", "online", &["call:1", "lobby"]).await;
    let claims = backend_claims("default");
    let some = Claims {
        switchboard: SwitchboardClaims {
            rooms: Some(vec!["call:*".into()]),
            ..claims.switchboard.clone()
        },
        ..claims
    };
    let some = Backend::at(cluster.nodes[0].public_port(), sign(&some).unwrap());
    is_seen(&some, "bob", "online", &["call:1"]).await;
    drop(bob);
    is_seen(&backend, "bob", "detached", &["call:1", "lobby"]).await;
    assert_eq!(remove(&backend, "/v1/peers/bob").await.status, 200);
    is_seen(&backend, "bob", "offline", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_kicked_while_it_is_detached_leaves_its_rooms_at_once() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let mut eve = cluster.connect(0, "eve").await.unwrap();
    join(&mut bob, "lobby").await;
    join(&mut bob, "alone").await;
    join(&mut eve, "lobby").await;
    drop(bob);
    is_seen(&backend, "bob", "detached", &["alone", "lobby"]).await;
    let kicked = remove(&backend, "/v1/peers/bob").await;
    assert_eq!(kicked.body["had_session"], true, "{kicked:?}");
    // The resume window of 60 s would end it much later, and with another reason.
    let left = eve.expect(PATIENCE, peer_left).await.unwrap();
    assert_eq!(left, ("bob".to_owned(), LeaveReason::Kicked));
    let no_ghost = async || {
        let keys: Vec<String> = cluster.redis.command(&["KEYS", "sb:{*}:r:*"]).await.ok()?;
        let [lobby] = &keys[..] else { return None };
        let members: Vec<String> = cluster.redis.command(&["HKEYS", lobby]).await.ok()?;
        let members: Vec<_> = members.iter().filter(|field| !field.starts_with('#')).collect();
        (members == ["eve"]).then_some(())
    };
    wait_until("Redis has eve in one room, and nobody else", PATIENCE, no_ghost)
        .await
        .unwrap();
}
