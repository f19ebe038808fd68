//! What every backend of `trait Broker` owes its node; each test runs on the memory bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use common::{Cluster, PATIENCE, claim, key, next_mid, session_id, until};
use switchboard_core::{BrokerError, Presence, PreviousOwner, TenantUsage};
use switchboard_protocol::NodeMessage;

contract!(
    a_message_to_an_attached_peer_reaches_its_node_byte_for_byte,
    a_peer_without_an_owner_is_offline_and_receives_nothing,
    an_attached_peer_can_be_located_from_every_node,
    a_detached_peer_is_offline_and_receives_nothing,
    an_attach_elsewhere_names_the_previous_owner_and_has_a_higher_fence,
    the_detach_of_an_old_session_does_not_harm_the_new_one,
    an_attach_right_after_a_detach_ends_subscribed,
    a_message_reaches_another_nodes_channel,
    ten_thousand_messages_to_one_peer_arrive_in_order,
    a_full_queue_refuses_and_everything_accepted_is_reported_once,
    an_attach_that_is_given_up_leaves_nothing_behind,
    a_shutdown_detaches_its_peers,
    many_peers_attach_at_once,
    nodes_know_the_load_of_the_others_while_these_take_clients,
    nodes_know_what_tenants_have_on_the_others,
);

// Later releases differ in answers, errors and the map of a cluster.
contract_on_releases!(
    a_message_to_an_attached_peer_reaches_its_node_byte_for_byte,
    an_attached_peer_can_be_located_from_every_node,
    an_attach_elsewhere_names_the_previous_owner_and_has_a_higher_fence,
    a_message_reaches_another_nodes_channel,
    a_shutdown_detaches_its_peers,
    many_peers_attach_at_once,
    nodes_know_the_load_of_the_others_while_these_take_clients,
);

async fn a_message_to_an_attached_peer_reaches_its_node_byte_for_byte(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let attached = n2.attach("bob", 1).await;
    assert!(attached.confirmed && attached.fence > 0 && attached.previous.is_none());
    let envelope: Vec<u8> = (0..=255).chain(*b"\r\n$-1\r\n").collect();
    // At once: the confirmation has been awaited, so nothing can be missed.
    assert_eq!(n1.publish("bob", &envelope).await, Ok(1));
    until("n2 received it", PATIENCE, || n2.received(&envelope) == 1).await;
    assert_eq!(n2.seen.messages.lock()[0].0, "acme/bob");
    assert_eq!(n1.seen.messages.lock().len(), 0);
    let status = n2.broker.status();
    assert_eq!((status.desired, status.confirmed), (1, 1));
}

async fn a_peer_without_an_owner_is_offline_and_receives_nothing(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    assert_eq!(n1.publish("nobody", b"hello").await, Ok(0));
    assert_eq!(n1.locate("nobody").await, Ok(Presence::Offline));
}

async fn an_attached_peer_can_be_located_from_every_node(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    let here = Presence::Attached { node: n2.id.clone() };
    assert_eq!(n1.locate("bob").await, Ok(here.clone()));
    assert_eq!(n2.locate("bob").await, Ok(here));
}

async fn a_detached_peer_is_offline_and_receives_nothing(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    n2.broker.detach(&key("bob"), session_id(1), 0, None);
    assert_eq!(n2.broker.status().desired, 0);
    let end = std::time::Instant::now() + PATIENCE;
    while n1.locate("bob").await != Ok(Presence::Offline) || n1.publish("bob", b"late").await != Ok(0) {
        assert!(std::time::Instant::now() < end, "bob stayed attached");
    }
    let received = n2.seen.messages.lock().len();
    assert_eq!(n1.publish("bob", b"later").await, Ok(0));
    assert_eq!(n2.seen.messages.lock().len(), received);
}

async fn an_attach_elsewhere_names_the_previous_owner_and_has_a_higher_fence(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let first = n1.attach("bob", 1).await;
    let second = n2.attach("bob", 2).await;
    assert!(second.fence > first.fence);
    let previous = PreviousOwner {
        node: n1.id.clone(),
        session: session_id(1),
    };
    assert_eq!(second.previous, Some(previous));
    let third = n2.attach("bob", 3).await;
    assert!(third.fence > second.fence);
    assert_eq!(
        third.previous.map(|previous| previous.session),
        Some(session_id(2))
    );
}

async fn the_detach_of_an_old_session_does_not_harm_the_new_one(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n2.attach("bob", 2).await;
    n2.attach("bob", 3).await;
    n1.broker.detach(&key("bob"), session_id(1), 0, None);
    n2.broker.detach(&key("bob"), session_id(2), 0, None);
    until("n1 has released it", PATIENCE, || n1.broker.status().desired == 0).await;
    // The detaches are queued before this locate, so it sees what they did.
    assert_eq!(
        n1.locate("bob").await,
        Ok(Presence::Attached { node: n2.id.clone() })
    );
    assert_eq!(
        n2.locate("bob").await,
        Ok(Presence::Attached { node: n2.id.clone() })
    );
    assert!(
        n1.publish("bob", b"still")
            .await
            .is_ok_and(|receivers| receivers >= 1)
    );
    until("n2 received it", PATIENCE, || n2.received(b"still") == 1).await;
}

async fn an_attach_right_after_a_detach_ends_subscribed(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    for round in 0..50_u8 {
        let attached = n2.attach("bob", round).await;
        assert!(attached.confirmed && attached.previous.is_none());
        let envelope = [round; 4];
        assert_eq!(n1.publish("bob", &envelope).await, Ok(1), "round {round}");
        until("n2 received it", PATIENCE, || n2.received(&envelope) == 1).await;
        n2.broker.detach(&key("bob"), session_id(round), 0, None);
    }
}

async fn a_message_reaches_another_nodes_channel(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let takeover = NodeMessage::Takeover {
        key: key("bob"),
        session: session_id(1),
        fence: 7,
    };
    n1.broker
        .send_to_node(&n2.id, n1.broker.route_of(&key("bob")), takeover.encode())
        .unwrap();
    until("it arrived", PATIENCE, || {
        n2.takeovers() == [(key("bob"), session_id(1))]
    })
    .await;
    assert!(n1.seen.node_messages.lock().is_empty());
}

async fn ten_thousand_messages_to_one_peer_arrive_in_order(cluster: Cluster) {
    const COUNT: u32 = 10_000;
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    for number in 0..COUNT {
        n1.broker
            .publish(next_mid(), &key("bob"), number.to_be_bytes().to_vec())
            .unwrap();
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    until("all arrived", PATIENCE, || {
        n2.seen.messages.lock().len() == COUNT as usize
    })
    .await;
    let numbers: Vec<_> = n2
        .seen
        .messages
        .lock()
        .iter()
        .map(|(_, bytes)| bytes.clone())
        .collect();
    assert!(
        numbers
            .into_iter()
            .eq((0..COUNT).map(|number| number.to_be_bytes().to_vec()))
    );
    until("all are reported", PATIENCE, || {
        n1.seen.published.lock().len() == COUNT as usize
    })
    .await;
    let reported = n1.seen.published.lock();
    assert!(reported.iter().all(|(_, outcome)| *outcome == Ok(1)));
}

async fn a_full_queue_refuses_and_everything_accepted_is_reported_once(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    // One thread and no await: nobody empties the queue meanwhile.
    let mut accepted = Vec::new();
    let refused = loop {
        let mid = next_mid();
        match n1.broker.publish(mid, &key("nobody"), b"x".to_vec()) {
            Ok(()) => accepted.push(mid),
            Err(error) => break error,
        }
        assert!(accepted.len() < 1_000_000, "the queue has no bound");
    };
    assert_eq!(refused, BrokerError::QueueFull);
    until("all are reported", PATIENCE, || {
        n1.seen.published.lock().len() >= accepted.len()
    })
    .await;
    assert_eq!(n1.publish("nobody", b"room again").await, Ok(0));
    let mids: Vec<_> = n1.seen.published.lock().iter().map(|(mid, _)| *mid).collect();
    assert_eq!(mids[..accepted.len()], accepted, "each once, in order");
    assert_eq!(mids.len(), accepted.len() + 1);
}

async fn an_attach_that_is_given_up_leaves_nothing_behind(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let bob = key("bob");
    let mut attach = n2.broker.attach(&bob, claim(1));
    let is_done = futures_util::poll!(&mut attach).is_ready();
    drop(attach);
    if is_done {
        n2.broker.detach(&bob, session_id(1), 0, None);
    }
    assert_eq!(n2.broker.status().desired, 0);
    // Commands of one node are carried out in order: once this is answered, so are the commands that the attach left.
    n2.publish("bob", b"flush").await.unwrap();
    assert_eq!(n1.locate("bob").await, Ok(Presence::Offline));
}

async fn a_shutdown_detaches_its_peers(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.attach("bob", 1).await;
    n2.attach("eve", 2).await;
    n2.broker.shutdown().await;
    assert_eq!(n1.locate("bob").await, Ok(Presence::Detached));
    assert_eq!(n1.publish("eve", b"hello").await, Ok(0));
}

async fn many_peers_attach_at_once(cluster: Cluster) {
    const PEERS: usize = 2_000;
    let n1 = cluster.node("n1").await;
    let keys: Vec<_> = (0..PEERS).map(|peer| key(&format!("p{peer}"))).collect();
    let attaches = keys.iter().map(|key| n1.broker.attach(key, claim(1)));
    for attached in futures_util::future::join_all(attaches).await {
        assert!(attached.unwrap().confirmed);
    }
    let status = n1.broker.status();
    assert_eq!((status.desired, status.confirmed), (PEERS, PEERS));
}

async fn nodes_know_the_load_of_the_others_while_these_take_clients(cluster: Cluster) {
    let (n1, n2, n3) = (
        cluster.node("n1").await,
        cluster.node("n2").await,
        cluster.node("n3").await,
    );
    let others = |own: &[Option<usize>; 3]| {
        let _ = (n2.broker.cluster_load(own[1]), n3.broker.cluster_load(own[2]));
        n1.broker.cluster_load(own[0]).map(|load| {
            let mut others = load.others;
            others.sort_unstable();
            (load.own, others)
        })
    };
    until("all are known", PATIENCE, || {
        others(&[Some(5), Some(20), Some(30)]) == Some((5, vec![20, 30]))
    })
    .await;
    until("one that takes no clients is not counted", PATIENCE, || {
        others(&[Some(5), None, Some(30)]) == Some((5, vec![30]))
    })
    .await;
    n3.broker.shutdown().await;
    until("one that is gone is not counted", PATIENCE, || {
        others(&[Some(5), None, None]) == Some((5, Vec::new()))
    })
    .await;
    until("one that takes none knows none", PATIENCE, || {
        others(&[None, None, None]).is_none()
    })
    .await;
}

async fn nodes_know_what_tenants_have_on_the_others(cluster: Cluster) {
    let (n1, n2, n3) = (
        cluster.node("n1").await,
        cluster.node("n2").await,
        cluster.node("n3").await,
    );
    let have = |node: &common::Node, usage: &str, elsewhere: &str| {
        let usage = TenantUsage::parse(usage);
        node.broker.tenant_usage(usage) == Some(TenantUsage::parse(elsewhere))
    };
    until("all know of each other", PATIENCE, || {
        let first = have(&n1, "acme/3 beta/1", "acme/12");
        let second = have(&n2, "acme/7", "acme/8 beta/1");
        let third = have(&n3, "acme/5", "acme/10 beta/1");
        first && second && third
    })
    .await;
    n3.broker.shutdown().await;
    until("n3 has none any more", PATIENCE, || {
        let first = have(&n1, "acme/3 beta/1", "acme/7");
        let second = have(&n2, "acme/7", "acme/3 beta/1");
        first && second
    })
    .await;
}
