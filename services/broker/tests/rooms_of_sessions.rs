//! The rooms that the record of a session notes, so that a resume on any node enters them again; on the memory bus and on a
//! real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{
    Cluster, PATIENCE, claim, key, resume,
    rooms::{info, join, member},
    session_id, token, until,
};
use switchboard_broker::RedisMode;
use switchboard_core::{RoomEntry, RoomMember, RoomMembership};
use switchboard_protocol::{LeaveReason, RoomId};

contract!(
    a_resume_learns_the_rooms_of_its_session,
    a_new_session_learns_the_rooms_of_the_one_before,
    a_session_that_left_its_room_does_not_come_back_to_it,
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
