//! The rooms that the record of a session notes, so that a resume on any node enters them again; on the memory bus and on a
//! real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{
    Cluster, Node, PATIENCE, claim, key, resume,
    rooms::{info, join, member},
    session_id, token, until,
};
use switchboard_core::{
    EndedSession, Presence, Retention, RoomEntry, RoomMember, RoomMembership, SessionSnapshot,
};
use switchboard_harness::wait_until;
use switchboard_protocol::{LeaveReason, RoomId};

contract!(
    a_resume_learns_the_rooms_of_its_session,
    a_new_session_learns_the_rooms_of_the_one_before,
    a_session_that_left_its_room_does_not_come_back_to_it,
    the_rooms_of_a_peer_are_known_on_every_node_while_it_has_a_session,
    the_end_of_a_detached_session_names_its_rooms,
);

async fn a_resume_learns_the_rooms_of_its_session(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let with_info = RoomMember {
        info: info(r#"{"name":"Bob"}"#),
        ..member("bob", 1)
    };
    n1.join_with(join("lobby", with_info.clone())).await.unwrap();
    n1.join("hall", "bob", 1).await;
    // No detach and no release: as after a crash of n1.
    let membership = |name: &str, info| RoomMembership {
        room: RoomId::new(name).unwrap(),
        session: session_id(1),
        info,
    };
    let wanted = [membership("hall", None), membership("lobby", with_info.info)];
    // A second resume, too: the node of the first one may die before it has entered the rooms.
    for node in [&n2, &n1] {
        let claim = resume(token(1), Duration::ZERO);
        let resumed = node.broker.attach(&key("bob"), claim).await.unwrap();
        let mut rooms = resumed.rooms;
        rooms.sort_by(|one, other| one.room.cmp(&other.room));
        assert_eq!(rooms, wanted);
    }
}

async fn a_new_session_learns_the_rooms_of_the_one_before(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n1.join("lobby", "bob", 1).await;
    // The note is behind the join's answer.
    n1.until_members("lobby", &["bob"]).await;
    let second = n2.attach("bob", 2).await;
    assert_eq!(second.rooms.len(), 1);
    assert_eq!(second.rooms[0].session, session_id(1));
    let third = n2.broker.attach(&key("bob"), claim(3)).await.unwrap();
    assert_eq!(third.rooms, [], "the second session was in no room");
}

async fn a_session_that_left_its_room_does_not_come_back_to_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n1.join("lobby", "bob", 1).await;
    n1.join("hall", "bob", 1).await;
    n1.leave("lobby", "bob", 1);
    n2.leave_as("hall", "bob", RoomEntry::Any, LeaveReason::Kicked);
    until("both are removed", PATIENCE, || {
        n1.removed("lobby").len() + n2.removed("hall").len() == 2
    })
    .await;
    n1.until_members("lobby", &[]).await;
    n2.until_members("hall", &[]).await;
    let resumed = n2
        .broker
        .attach(&key("bob"), resume(token(1), Duration::ZERO))
        .await;
    assert_eq!(resumed.unwrap().rooms, []);
}

async fn rooms_of(node: &Node, peer: &str) -> Vec<String> {
    let rooms = node.broker.rooms_of(&key(peer)).await.unwrap();
    let mut names: Vec<_> = rooms.iter().map(RoomId::to_string).collect();
    names.sort();
    names
}

async fn the_rooms_of_a_peer_are_known_on_every_node_while_it_has_a_session(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    n1.join("lobby", "bob", 1).await;
    n1.join("hall", "bob", 1).await;
    // The note is behind the join's answer.
    n1.until_members("hall", &["bob"]).await;
    assert_eq!(rooms_of(&n2, "bob").await, ["hall", "lobby"]);
    assert_eq!(rooms_of(&n2, "eve").await, [""; 0]);
    let window = Duration::from_secs(60);
    let snapshot = Some(SessionSnapshot::default());
    let detached = Retention { snapshot, window };
    n1.broker.detach(&key("bob"), session_id(1), 0, Some(detached));
    let is_detached = async || (n2.locate("bob").await == Ok(Presence::Detached)).then_some(());
    wait_until("bob is detached", PATIENCE, is_detached)
        .await
        .unwrap();
    assert_eq!(rooms_of(&n1, "bob").await, ["hall", "lobby"]);
    n2.attach("bob", 2).await;
    assert_eq!(rooms_of(&n1, "bob").await, [""; 0]);
}

async fn the_end_of_a_detached_session_names_its_rooms(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.attach("bob", 1).await;
    let with_info = RoomMember {
        info: info(r#"{"name":"Bob"}"#),
        ..member("bob", 1)
    };
    n1.join_with(join("lobby", with_info.clone())).await.unwrap();
    n1.until_members("lobby", &["bob"]).await;
    let (snapshot, window) = (None, Duration::from_secs(60));
    let detached = Retention { snapshot, window };
    n1.broker.detach(&key("bob"), session_id(1), 0, Some(detached));
    let ending = async || n2.broker.end_session(&key("bob")).await.ok().flatten();
    let (ended, _) = wait_until("bob's session has ended", PATIENCE, ending)
        .await
        .unwrap();
    let lobby = RoomMembership {
        room: RoomId::new("lobby").unwrap(),
        session: session_id(1),
        info: with_info.info,
    };
    let (session, rooms) = (session_id(1), vec![lobby]);
    assert_eq!(ended, EndedSession::Detached { session, rooms });
    assert_eq!(rooms_of(&n1, "bob").await, [""; 0]);
}
