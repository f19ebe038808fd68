//! What nodes say of themselves reaches the others, and ends with them; and what a node says of its Redis servers.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[macro_use]
mod common;

use switchboard_core::{BusState, NodeRecord};

use common::{Cluster, Node, PATIENCE, until};

fn record(node: &Node, connections: u64) -> NodeRecord {
    NodeRecord {
        node: node.id.to_string(),
        state: "serving".into(),
        bus: "up".into(),
        connections,
        ..NodeRecord::default()
    }
}

async fn a_node_knows_what_the_others_say_of_themselves_until_they_end(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let exchange = |connections| {
        let _ = n2.broker.node_records(record(&n2, connections));
        n1.broker.node_records(record(&n1, 7))
    };
    until("n1 knows n2", PATIENCE, || exchange(3) == [record(&n2, 3)]).await;
    until("n1 knows the change", PATIENCE, || {
        exchange(4) == [record(&n2, 4)]
    })
    .await;
    n2.broker.shutdown().await;
    until("n2 has left", PATIENCE, || {
        n1.broker.node_records(record(&n1, 7)).is_empty()
    })
    .await;
}

async fn a_node_says_of_each_server_whom_it_serves_and_how_old_the_lease_is(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let servers = n1.broker.servers();
    let shares: usize = servers.iter().map(|server| server.percent_of_peers).sum();
    assert!((99..=101).contains(&shares), "{servers:?}");
    for server in servers {
        assert_eq!(server.status.state, BusState::Up, "{server:?}");
        assert!(server.lease_age.is_some() && !server.is_lease_over, "{server:?}");
    }
}

macro_rules! on_redis {
    ($($name:ident),*) => {
        contract_on!(standalone, Cluster::redis("standalone").await, $($name),*);
        contract_on!(cluster, Cluster::redis("cluster:3+3").await, $($name),*);
        contract_on!(sharded, Cluster::redis("sharded:3").await, $($name),*);
    };
}

on_redis!(
    a_node_knows_what_the_others_say_of_themselves_until_they_end,
    a_node_says_of_each_server_whom_it_serves_and_how_old_the_lease_is
);
