//! One node for each ID, and one owner for each peer.

use std::time::Duration;

use switchboard_client::SendReport;
use switchboard_harness::NodeProcess;
use switchboard_protocol::{MessageKind, SendOutcome};
use switchboard_testkit::{Cluster, PATIENCE, SECRET, payload};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_with_the_same_id_exits_with_the_reason_and_the_first_one_goes_on() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    let url = cluster.redis.url();
    let config = format!("[auth]\nhs256_secret = \"{SECRET}\"\n[broker]\nredis_urls = [\"{url}\"]\n");
    let second = NodeProcess::spawn_new("n1", &config).unwrap();
    let ended = second.wait_ended(Duration::from_secs(30)).await.unwrap();
    assert_eq!(ended.code(), Some(1));
    let log = second.log();
    assert!(log.contains("another node runs with the id `n1`"), "{log}");
    let sent = alice
        .send_and_confirm(MessageKind::Message, "bob", &payload("1").unwrap(), PATIENCE)
        .await
        .unwrap();
    assert_eq!(sent, SendReport::delivered());
    assert_eq!(bob.message(PATIENCE).await.unwrap().payload.get(), "1");
    assert_eq!(cluster.nodes[0].status("/readyz").await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_redis_lost_everything_the_older_connection_of_a_peer_is_closed_with_4409() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut older = cluster.connect(0, "bob").await.unwrap();
    cluster.redis.command::<String>(&["FLUSHALL"]).await.unwrap();
    let mut newer = cluster.connect(1, "bob").await.unwrap();
    // A lease is the longest time for two owners.
    assert_eq!(older.closed(Duration::from_secs(10)).await.unwrap().0, 4409);
    for number in 0..3 {
        let json = payload(number.to_string()).unwrap();
        let sent = alice
            .send_and_confirm(MessageKind::Message, "bob", &json, PATIENCE)
            .await
            .unwrap();
        assert_eq!(sent.outcome, SendOutcome::Delivered);
        assert_eq!(
            newer.message(PATIENCE).await.unwrap().seq,
            number + 1,
            "each once"
        );
    }
}
