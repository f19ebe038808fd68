//! How many rooms a tenant may have: exactly on one node, and over several as far as they know of each other; on the memory
//! bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{
    Cluster, PATIENCE,
    rooms::{join, member},
};
use switchboard_core::{JoinError, RoomEntry, RoomQuery};
use switchboard_harness::wait_until;
use switchboard_protocol::LeaveReason;

contract!(
    a_tenant_has_only_so_many_rooms,
    nodes_that_create_rooms_at_once_exceed_the_bound_of_a_tenant_only_until_they_count,
);

async fn a_tenant_has_only_so_many_rooms(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let limited = |name: &str, peer: &str| {
        let mut join = join(name, member(peer, 1));
        join.max_rooms = 2;
        join
    };
    assert!(n1.join_with(limited("one", "bob")).await.is_ok());
    assert!(n1.join_with(limited("two", "bob")).await.is_ok());
    assert_eq!(
        n1.join_with(limited("three", "bob")).await,
        Err(JoinError::TooManyRooms)
    );
    assert!(
        n1.join_with(limited("two", "eve")).await.is_ok(),
        "the room is there already"
    );
    n1.leave("one", "bob", 1);
    n1.until_members("one", &[]).await;
    let found = async || n1.join_with(limited("three", "bob")).await.is_ok().then_some(());
    wait_until("there is one room less", PATIENCE, found)
        .await
        .unwrap();
}

async fn nodes_that_create_rooms_at_once_exceed_the_bound_of_a_tenant_only_until_they_count(
    cluster: Cluster,
) {
    const MOST: usize = 4;
    let nodes = [
        cluster.node("n1").await,
        cluster.node("n2").await,
        cluster.node("n3").await,
    ];
    let create = async |node: usize, name: &str| {
        let mut join = join(name, member("bob", 1));
        join.max_rooms = MOST;
        nodes[node].join_with(join).await
    };
    let create_all = async |node: usize| {
        for number in 0..MOST + 2 {
            let created = create(node, &format!("r{node}-{number}")).await;
            assert!(
                matches!(created, Ok(_) | Err(JoinError::TooManyRooms)),
                "{created:?}"
            );
        }
    };
    tokio::join!(create_all(0), create_all(1), create_all(2));
    let query = || RoomQuery {
        tenant: "acme".into(),
        prefix: String::new(),
        after: None,
        limit: 100,
    };
    let rooms = async || {
        let page = nodes[0].broker.rooms(query()).await.ok()?;
        Some(
            page.rooms
                .iter()
                .map(|(room, _)| room.to_string())
                .collect::<Vec<_>>(),
        )
    };
    let (created, _) = wait_until("the rooms are listed", PATIENCE, rooms).await.unwrap();
    let count = created.len();
    assert!((MOST..=nodes.len() * MOST).contains(&count), "{count} rooms");
    for (number, node) in nodes.iter().enumerate() {
        let attempts = AtomicUsize::new(0);
        let is_refused = async || {
            // A room that the node has already would take anybody.
            let name = format!("later-{number}-{}", attempts.fetch_add(1, Ordering::Relaxed));
            match create(number, &name).await {
                Err(error) => (error == JoinError::TooManyRooms).then_some(()),
                Ok(_) => {
                    node.leave(&name, "bob", 1);
                    None
                }
            }
        };
        wait_until("each node knows the rooms of the others", PATIENCE, is_refused)
            .await
            .unwrap();
    }
    for name in created.iter().skip(1) {
        nodes[0].leave_as(name, "bob", RoomEntry::Any, LeaveReason::Kicked);
    }
    for node in 0..nodes.len() {
        let is_taken = async || create(node, &format!("last-{node}")).await.ok();
        wait_until("there is room again on each node", PATIENCE, is_taken)
            .await
            .unwrap();
    }
}
