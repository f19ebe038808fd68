//! A node next to nodes of other versions. These are clients of its Redis that say what such a node would say.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use switchboard_protocol::{Envelope, MessageId, MessageKind, Mid, SendOutcome, SessionId, WireVersion};
use switchboard_testkit::{Cluster, OPS_TOKEN, PATIENCE, RedisLayout, binary, payload, wait_until};

const DROPPED: &str = "switchboard_bus_messages_dropped_total{reason=\"other-version\"}";
const MALFORMED: &str = "switchboard_bus_messages_dropped_total{reason=\"malformed\"}";

/// The channel of default/bob: the one of his name among all.
async fn channel_of_bob(cluster: &Cluster) -> String {
    let channels: Vec<String> = cluster
        .redis
        .command(&["PUBSUB", "CHANNELS", "*default/bob"])
        .await
        .unwrap();
    channels
        .into_iter()
        .find(|channel| channel.contains(":p:"))
        .unwrap()
}

#[tokio::test]
async fn what_a_later_version_sends_is_dropped_and_counted_and_harms_nothing() {
    let cluster = Cluster::start_on(RedisLayout::Standalone, 1, "").await.unwrap();
    let node = &cluster.nodes[0];
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let _bob = cluster.connect(0, "bob").await.unwrap();
    let envelope = Envelope {
        kind: MessageKind::Message,
        mid: Mid {
            session: SessionId::from_bytes([7; 12]),
            id: MessageId::Client(1),
        },
        prev: None,
        trace: None,
        origin: "n9",
        from: "default/carol",
        payload: "1",
    };
    let changed = |place: usize, value: u8| {
        let mut bytes = envelope.encode();
        bytes[place] = value;
        String::from_utf8(bytes).unwrap()
    };
    // Another layout, another kind, another flag; and a kind of node message that does not exist here.
    let to_bob = channel_of_bob(&cluster).await;
    for (channel, bytes) in [
        (to_bob.as_str(), changed(0, 2)),
        (&to_bob, changed(1, 99)),
        (&to_bob, changed(2, 1 << 6)),
        ("sb:n:n1", "c".to_owned()),
    ] {
        let receivers: u64 = cluster
            .redis
            .command(&["PUBLISH", channel, &bytes])
            .await
            .unwrap();
        assert_eq!(receivers, 1, "{channel}");
    }
    let counted = async || node.metric(DROPPED).await.filter(|count| *count == 4.0);
    wait_until("all are counted", PATIENCE, counted).await.unwrap();
    assert_eq!(node.metric(MALFORMED).await, Some(0.0));
    let report = alice
        .send_and_confirm(MessageKind::Offer, "bob", &payload("1").unwrap(), PATIENCE)
        .await
        .unwrap();
    assert_eq!(report.outcome, SendOutcome::Delivered);
}

#[tokio::test]
async fn a_node_knows_the_versions_of_the_others_also_when_they_say_more_or_less_than_it_does() {
    let cluster = Cluster::start_on(RedisLayout::Standalone, 2, "").await.unwrap();
    let soon = "99999999999999 ";
    let later = format!("{soon}node=n8 wire=2 version=9.0.0 state=resting colour=blue");
    let earlier = format!("{soon}node=n9 connections=3");
    for (node, text) in [("n8", later), ("n9", earlier)] {
        let _: u64 = cluster
            .redis
            .command(&["HSET", "sb:nodes", node, &text])
            .await
            .unwrap();
    }
    let versions = async || {
        let mut command = tokio::process::Command::new(binary(None).unwrap());
        command
            .args(["status", "--json", "--node", &cluster.nodes[0].ops_url()])
            .env("SWITCHBOARD_OPS_TOKEN", OPS_TOKEN);
        let output = command.output().await.unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = status["nodes"].as_array().unwrap().iter();
        let versions = nodes.map(|node| {
            (
                node["node"].as_str().unwrap().to_owned(),
                node["wire_version"].clone(),
            )
        });
        let versions: Vec<_> = versions.collect();
        (versions.len() == 4).then_some(versions)
    };
    let (versions, _) = wait_until("n1 knows all", PATIENCE, versions).await.unwrap();
    let own = WireVersion::OWN.0;
    let expected = [("n1", own), ("n2", own), ("n8", 2), ("n9", 0)];
    assert_eq!(
        versions,
        expected.map(|(node, version)| (node.to_owned(), version.into()))
    );
}
