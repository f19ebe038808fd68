//! Clusters that share one Redis server, with different prefixes or in different databases: nothing of one is seen by
//! another, although peers, rooms, nodes and tenants have the same names.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::{
    Node, PATIENCE, configured_node, key,
    rooms::{peer, room},
    session_id, until, until_presence,
};
use switchboard_broker::RedisConfig;
use switchboard_core::{
    Append, BrokerError, EndedSession, Presence, RevocationChange, Route, SessionSnapshot, StreamBounds,
    StreamEvent, TenantUsage,
};
use switchboard_harness::{RedisServer, wait_until};
use switchboard_protocol::Revocation;

const LONG: Duration = Duration::from_secs(60);

/// Three clusters on one server.
fn clusters(redis: &RedisServer) -> Vec<RedisConfig> {
    let database = |number: u8| RedisConfig::new(format!("{}/{number}", redis.url()));
    let prefix = RedisConfig {
        key_prefix: "other".to_owned(),
        ..database(0)
    };
    vec![database(0), database(1), prefix]
}

/// A node of each cluster, all of one name.
async fn nodes(configs: &[RedisConfig]) -> Vec<Node> {
    let nodes: Vec<_> = configs
        .iter()
        .map(|config| configured_node("n1", config))
        .collect();
    for node in &nodes {
        node.is_up().await;
    }
    nodes
}

#[tokio::test]
async fn no_message_and_no_presence_crosses() {
    let redis = redis!();
    let nodes = nodes(&clusters(&redis)).await;
    nodes[0].attach("eve", 7).await;
    for node in &nodes {
        assert!(node.attach("bob", 1).await.previous.is_none());
        node.broker.watch(&key("bob"));
    }
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(node.publish("bob", &[number as u8]).await, Ok(1));
        let to_itself = node
            .broker
            .send_to_node(&node.id, Route::default(), vec![number as u8]);
        to_itself.unwrap();
    }
    for (number, node) in nodes.iter().enumerate() {
        until("its own messages come", PATIENCE, || {
            node.received(&[number as u8]) == 1 && !node.seen.node_messages.lock().is_empty()
        })
        .await;
        assert_eq!(node.seen.messages.lock().len(), 1);
        assert_eq!(*node.seen.node_messages.lock(), [vec![number as u8]]);
        assert!(node.takeovers().is_empty());
    }
    for node in &nodes[1..] {
        assert_eq!(node.publish("eve", b"hello").await, Ok(0));
        assert_eq!(node.locate("eve").await, Ok(Presence::Offline));
    }
    // The end of bob's session in one cluster is his end there alone.
    nodes[0].broker.detach(&key("bob"), session_id(1), 0, None);
    until("the change is seen at home", PATIENCE, || {
        !nodes[0].seen.changes.lock().is_empty()
    })
    .await;
    for node in &nodes[1..] {
        assert_eq!(
            node.locate("bob").await,
            Ok(Presence::Attached {
                node: node.id.clone()
            })
        );
        assert!(node.seen.changes.lock().is_empty());
    }
}

#[tokio::test]
async fn no_session_can_be_resumed_or_ended_from_another_cluster() {
    let redis = redis!();
    let nodes = nodes(&clusters(&redis)).await;
    common::detached(&nodes[0], SessionSnapshot::default()).await;
    for node in &nodes[1..] {
        let resumed = common::try_resume(node, common::token(1)).await;
        assert_eq!(resumed.map(drop), Err(BrokerError::NotResumable));
        assert_eq!(node.broker.end_session(&key("bob")).await, Ok(None));
    }
    until_presence(&nodes[0], "bob", &Presence::Detached).await;
    let ended: Option<EndedSession> = nodes[0].broker.end_session(&key("bob")).await.unwrap();
    assert!(ended.is_some());
}

#[tokio::test]
async fn rooms_of_one_name_are_different_rooms() {
    let redis = redis!();
    let nodes = nodes(&clusters(&redis)).await;
    for (number, node) in nodes.iter().enumerate() {
        let name = format!("p{number}");
        node.attach(&name, 1).await;
        node.join("lobby", &name, 1).await;
        node.publish_to_room("lobby", &[number as u8]).await.unwrap();
    }
    for (number, node) in nodes.iter().enumerate() {
        let name = format!("p{number}");
        node.until_members("lobby", &[&name]).await;
        until("the room's own message comes", PATIENCE, || {
            !node.seen.room_messages.lock().is_empty()
        })
        .await;
        let messages = node.seen.room_messages.lock().clone();
        assert!(
            messages.iter().all(|(_, bytes)| bytes[..] == [number as u8]),
            "{messages:?}"
        );
        let stranger = peer(&format!("p{}", (number + 1) % 3));
        assert_eq!(node.broker.has_member(&room("lobby"), &stranger).await, Ok(false));
    }
}

#[tokio::test]
async fn revocations_calls_and_events_stay_at_home() {
    let redis = redis!();
    let nodes = nodes(&clusters(&redis)).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let revocation = Revocation::parse("t acme/7", now + 600).unwrap();
    let change = RevocationChange {
        revocation: revocation.clone(),
        replaces: None,
    };
    nodes[0].broker.revoke(&change).await.unwrap();
    until("it is known at home", PATIENCE, || {
        nodes[0].seen.revocations.lock().contains(&revocation)
    })
    .await;
    let event = |number: usize| Append {
        stream: "app".into(),
        event: Arc::new(StreamEvent {
            id: format!("e{number}"),
            key: "acme/bob".into(),
            at_ms: 1,
            body: "{}".into(),
        }),
        at_most_every: None,
    };
    let bounds = StreamBounds {
        events_per_partition: 10,
        dead: 1,
    };
    for (number, node) in nodes.iter().enumerate() {
        let record = format!("call {number}");
        let begun = node.calls.begin("acme/1".to_owned(), record, LONG).await;
        assert_eq!(begun, Ok(None), "each cluster begins its own call");
        assert_eq!(node.streams.append(&[event(number)], bounds).await, Ok(0));
        let held = node.streams.hold("app", &[]).await.unwrap();
        assert!(!held.partitions.is_empty(), "each cluster has its own readers");
    }
    // A node that comes later reads the stored ones.
    let strangers = clusters(&redis);
    for config in &strangers[1..] {
        let late = configured_node("n2", config);
        late.is_up().await;
        until("the revocations are read", PATIENCE, || {
            *late.seen.revocations_read.lock() > 0
        })
        .await;
        assert!(late.seen.revocations.lock().is_empty());
    }
    for node in &nodes[1..] {
        assert!(node.seen.revocations.lock().is_empty());
    }
}

#[tokio::test]
async fn nodes_count_the_load_and_the_tenants_of_their_own_cluster() {
    let redis = redis!();
    let nodes = nodes(&clusters(&redis)).await;
    let configs = clusters(&redis);
    let second = configured_node("n2", &configs[0]);
    second.is_up().await;
    let others = |node: &Node, own: usize| {
        let usage = TenantUsage::new([("acme".to_owned(), own)].into_iter().collect());
        let tenants = node.broker.tenant_usage(usage);
        let load = node.broker.cluster_load(Some(own));
        (
            load.map(|load| load.others),
            tenants.map(|tenants| tenants.connections("acme")),
        )
    };
    let at_home = async || {
        others(&second, 5);
        let (load, _) = others(&nodes[0], 1);
        for stranger in &nodes[1..] {
            let (load, tenants) = others(stranger, 9);
            assert!(load.unwrap_or_default().is_empty());
            assert!(tenants.unwrap_or_default() <= 9);
        }
        (load == Some(vec![5])).then_some(())
    };
    wait_until("the second node is counted at home", PATIENCE, at_home)
        .await
        .unwrap();
}
