//! Where peers are.

use switchboard_testkit::{Cluster, PATIENCE, wait_until};

use crate::Backend;

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
