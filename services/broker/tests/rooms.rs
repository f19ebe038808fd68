//! What every backend owes its node in rooms; each test runs on the memory bus and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use common::{
    Cluster, PATIENCE,
    rooms::{MANY, info, join, member, own, peer, room},
    session_id, until,
};
use switchboard_core::{BrokerError, JoinError, RoomEntry, RoomLeft, RoomMember, RoomQuery};
use switchboard_protocol::{LeaveReason, MemberState, RoomId};

contract!(
    a_member_is_in_the_roster_of_every_node,
    a_join_brings_the_roster_only_if_asked,
    every_node_of_a_room_hears_every_change_in_order,
    the_first_member_creates_a_room_and_the_last_one_ends_it,
    a_room_that_ended_begins_again_with_a_higher_version,
    a_join_that_changes_nothing_has_no_change,
    a_member_that_shows_another_info_enters_again,
    a_session_that_comes_back_on_another_node_moves,
    another_session_of_the_peer_takes_its_place,
    a_detached_member_stays_until_its_window_is_over,
    a_full_room_takes_only_its_members,
    a_member_is_removed_from_any_node,
    an_ended_session_leaves_on_any_node,
    joins_and_leaves_of_a_member_keep_their_order,
    a_message_reaches_every_node_of_the_room_once_and_in_order,
    a_node_that_forgot_a_room_hears_nothing_of_it,
    a_node_that_forgets_a_room_and_joins_at_once_hears_it,
    rooms_are_listed_by_prefix_and_in_pages,
    rooms_of_different_tenants_do_not_meet,
    five_hundred_members_join_at_once,
);

async fn a_member_is_in_the_roster_of_every_node(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let bob = RoomMember {
        info: info(r#"{"name": "B o b"}"#),
        ..member("bob", 1)
    };
    n1.join_with(join("lobby", bob.clone())).await.unwrap();
    n2.join("lobby", "eve", 2).await;
    for node in [&n1, &n2] {
        let roster = node.broker.roster(&room("lobby")).await.unwrap();
        assert_eq!(roster.members.len(), 2);
        assert!(roster.members.contains(&bob) && roster.members.contains(&member("eve", 2)));
        let has = async |name: &str, of: &str| node.broker.has_member(&room(name), &peer(of)).await;
        assert_eq!(has("lobby", "eve").await, Ok(true));
        assert_eq!(has("lobby", "carol").await, Ok(false));
        assert_eq!(has("nowhere", "eve").await, Ok(false));
        let nowhere = node.broker.roster(&room("nowhere")).await.unwrap();
        assert_eq!((nowhere.version, nowhere.members.len()), (0, 0));
    }
}

async fn a_join_brings_the_roster_only_if_asked(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    assert_eq!(n1.join("lobby", "bob", 1).await.roster, None);
    let mut asks = join("lobby", member("eve", 2));
    asks.wants_roster = true;
    let joined = n1.join_with(asks).await.unwrap();
    let roster = joined.roster.unwrap();
    assert_eq!(roster.version, joined.version);
    assert_eq!(common::rooms::names(&roster), ["bob", "eve"]);
}

async fn every_node_of_a_room_hears_every_change_in_order(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let first = n1.join("lobby", "bob", 1).await;
    let second = n2.join("lobby", "eve", 2).await;
    assert_eq!(second.previous, first.version);
    n1.broker
        .detach_member(&room("lobby"), &peer("bob"), session_id(1));
    n1.until_changes("lobby", &["+bob", "+eve", "?bob"]).await;
    n1.join("lobby", "bob", 1).await;
    n1.leave("lobby", "bob", 1);
    let rest = ["+eve", "?bob", "+bob", "-bob left"];
    n2.until_changes("lobby", &rest).await;
    n1.until_changes("lobby", &[&["+bob"][..], &rest].concat()).await;
}

async fn the_first_member_creates_a_room_and_the_last_one_ends_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let first = n1.join("lobby", "bob", 1).await;
    assert!(first.is_first && first.is_new && first.previous == 0);
    let second = n2.join("lobby", "eve", 2).await;
    assert!(!second.is_first && second.is_new);
    n1.leave("lobby", "bob", 1);
    n2.until_members("lobby", &["eve"]).await;
    n2.leave("lobby", "eve", 2);
    n2.until_members("lobby", &[]).await;
    let left = |name: &str, is_last| RoomLeft {
        peer: peer(name),
        reason: LeaveReason::Left,
        is_last,
    };
    until("both leaves are reported", PATIENCE, || {
        n1.removed("lobby").len() + n2.removed("lobby").len() == 2
    })
    .await;
    assert_eq!(n1.removed("lobby"), [left("bob", false)]);
    assert_eq!(n2.removed("lobby"), [left("eve", true)]);
}

async fn a_room_that_ended_begins_again_with_a_higher_version(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let mut version = 0;
    for session in 1..4 {
        let joined = n1.join("lobby", "bob", session).await;
        assert!(
            joined.is_first && joined.version > version,
            "{joined:?} after {version}"
        );
        n1.leave("lobby", "bob", session);
        n1.until_members("lobby", &[]).await;
        let deltas = n1.seen.room_deltas.lock();
        version = deltas.last().map_or(joined.version, |(_, delta)| delta.version);
    }
}

async fn a_join_that_changes_nothing_has_no_change(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let first = n1.join("lobby", "bob", 1).await;
    let again = n1.join("lobby", "bob", 1).await;
    assert!(!again.is_new && !again.is_first);
    assert_eq!((again.previous, again.version), (first.version, first.version));
    n1.join("lobby", "eve", 2).await;
    n1.until_changes("lobby", &["+bob", "+eve"]).await;
}

async fn a_member_that_shows_another_info_enters_again(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    n1.join("lobby", "bob", 1).await;
    let other = RoomMember {
        info: info(r#"{"hand":true}"#),
        ..member("bob", 1)
    };
    let joined = n1.join_with(join("lobby", other.clone())).await.unwrap();
    assert!(!joined.is_new && joined.version > joined.previous);
    let roster = n1.broker.roster(&room("lobby")).await.unwrap();
    assert_eq!(roster.members, [other]);
}

async fn a_session_that_comes_back_on_another_node_moves(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    let moved = n2.join("lobby", "bob", 1).await;
    assert!(!moved.is_new && !moved.is_first);
    // The old node does not know it yet.
    n1.broker
        .detach_member(&room("lobby"), &peer("bob"), session_id(1));
    n1.leave_as("lobby", "bob", RoomEntry::OwnDetached(own(1)), LeaveReason::Lost);
    n1.leave("lobby", "bob", 1);
    n1.broker.forget_room(&room("lobby"));
    n1.until_members("lobby", &["bob"]).await;
    assert_eq!(n1.removed("lobby"), []);
    n2.until_changes("lobby", &["+bob"]).await;
}

async fn another_session_of_the_peer_takes_its_place(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    let second = n2.join("lobby", "bob", 2).await;
    assert!(!second.is_new);
    n1.leave("lobby", "bob", 1);
    n1.leave_as("lobby", "bob", RoomEntry::OfSession(own(1)), LeaveReason::Left);
    let roster = n1.broker.roster(&room("lobby")).await.unwrap();
    assert_eq!(roster.members, [member("bob", 2)]);
}

async fn a_detached_member_stays_until_its_window_is_over(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n2.join("lobby", "eve", 2).await;
    n1.join("lobby", "bob", 1).await;
    n1.broker
        .detach_member(&room("lobby"), &peer("bob"), session_id(1));
    n1.broker.forget_room(&room("lobby"));
    n1.until_members("lobby", &["bob?", "eve"]).await;
    let roster = n1.broker.roster(&room("lobby")).await.unwrap();
    let bob = roster.members.iter().find(|member| member.peer == peer("bob"));
    assert_eq!(bob.unwrap().state, MemberState::Detached);
    n1.join("lobby", "bob", 1).await;
    n1.leave_as("lobby", "bob", RoomEntry::OwnDetached(own(1)), LeaveReason::Lost);
    n1.until_members("lobby", &["bob", "eve"]).await;
    n1.broker
        .detach_member(&room("lobby"), &peer("bob"), session_id(1));
    n1.leave_as("lobby", "bob", RoomEntry::OwnDetached(own(1)), LeaveReason::Lost);
    n1.until_members("lobby", &["eve"]).await;
    n2.until_changes("lobby", &["+eve", "+bob", "?bob", "+bob", "?bob", "-bob lost"])
        .await;
}

async fn a_full_room_takes_only_its_members(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    n1.join("lobby", "eve", 2).await;
    let limited = |name, session| {
        let mut join = join("lobby", member(name, session));
        join.max_members = 2;
        join
    };
    assert_eq!(n2.join_with(limited("ann", 3)).await, Err(JoinError::Full));
    assert!(n2.join_with(limited("bob", 1)).await.is_ok(), "it moves");
    assert!(
        n2.join_with(limited("eve", 4)).await.is_ok(),
        "another session of a member"
    );
    n1.until_members("lobby", &["bob", "eve"]).await;
}

async fn a_member_is_removed_from_any_node(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    n2.leave_as("lobby", "bob", RoomEntry::Any, LeaveReason::Kicked);
    n2.leave_as("lobby", "nobody", RoomEntry::Any, LeaveReason::Kicked);
    n2.leave_as("nowhere", "bob", RoomEntry::Any, LeaveReason::Kicked);
    n1.until_changes("lobby", &["+bob", "-bob kicked"]).await;
    n2.until_members("lobby", &[]).await;
    until("the removal is reported", PATIENCE, || {
        n2.removed("lobby").len() == 1
    })
    .await;
    assert_eq!((n1.removed("lobby").len(), n2.removed("nowhere").len()), (0, 0));
}

async fn an_ended_session_leaves_on_any_node(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    n2.leave_as("lobby", "bob", RoomEntry::OfSession(own(2)), LeaveReason::Left);
    n2.until_members("lobby", &["bob"]).await;
    n2.leave_as("lobby", "bob", RoomEntry::OfSession(own(1)), LeaveReason::Left);
    n2.until_members("lobby", &[]).await;
}

async fn joins_and_leaves_of_a_member_keep_their_order(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    // Nothing is awaited: the room's channel is not even subscribed.
    n1.broker.join_room(join("lobby", member("bob", 1))).unwrap();
    n1.leave("lobby", "bob", 1);
    n1.broker.join_room(join("lobby", member("bob", 1))).unwrap();
    n1.broker.join_room(join("lobby", member("eve", 2))).unwrap();
    n1.broker
        .detach_member(&room("lobby"), &peer("eve"), session_id(2));
    until("three joins are answered", PATIENCE, || {
        n1.seen.room_joined.lock().len() == 3
    })
    .await;
    n1.until_changes("lobby", &["+bob", "-bob left", "+bob", "+eve", "?eve"])
        .await;
    n1.until_members("lobby", &["bob", "eve?"]).await;
}

async fn a_message_reaches_every_node_of_the_room_once_and_in_order(cluster: Cluster) {
    let (n1, n2, n3) = (
        cluster.node("n1").await,
        cluster.node("n2").await,
        cluster.node("n3").await,
    );
    n1.join("lobby", "bob", 1).await;
    n2.join("lobby", "eve", 2).await;
    n2.join("lobby", "ann", 3).await;
    // A member is not needed to publish: the backend does it, too.
    let sent: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![1, byte, b'\r', b'\n', 0]).collect();
    for envelope in &sent {
        n3.publish_to_room("lobby", envelope).await.unwrap();
    }
    for node in [&n1, &n2] {
        until("all messages came", PATIENCE, || {
            node.room_messages("lobby").len() >= sent.len()
        })
        .await;
        assert_eq!(node.room_messages("lobby"), sent);
    }
    assert_eq!(n3.room_messages("lobby").len(), 0);
}

async fn a_node_that_forgot_a_room_hears_nothing_of_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    n2.join("lobby", "eve", 2).await;
    n1.leave("lobby", "bob", 1);
    n1.broker.forget_room(&room("lobby"));
    n2.until_changes("lobby", &["+eve", "-bob left"]).await;
    until("n1 has unsubscribed", PATIENCE, || {
        n1.broker.status().desired == 0
    })
    .await;
    let before = n1.room_messages("lobby").len();
    let end = std::time::Instant::now() + PATIENCE;
    // The subscription may end after a first message.
    loop {
        let received = n1.room_messages("lobby").len();
        for _ in 0..20 {
            n2.publish_to_room("lobby", &[1]).await.unwrap();
        }
        if n1.room_messages("lobby").len() == received {
            break;
        }
        assert!(std::time::Instant::now() < end, "{before} messages before");
    }
}

async fn a_node_that_forgets_a_room_and_joins_at_once_hears_it(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    n1.join("lobby", "bob", 1).await;
    n1.leave("lobby", "bob", 1);
    n1.broker.forget_room(&room("lobby"));
    n1.join("lobby", "bob", 2).await;
    n2.publish_to_room("lobby", &[1, 2]).await.unwrap();
    until("n1 received it", PATIENCE, || {
        n1.room_messages("lobby") == [[1, 2]]
    })
    .await;
}

async fn rooms_are_listed_by_prefix_and_in_pages(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    let mut wanted = Vec::new();
    for number in 0..25 {
        let name = format!("call:{number}");
        n1.join(&name, "bob", 1).await;
        wanted.push((RoomId::new(&name).unwrap(), 1));
    }
    n1.join("call:7", "eve", 2).await;
    wanted[7].1 = 2;
    n1.join("other", "bob", 1).await;
    n1.join("cal", "bob", 1).await;
    let mut query = RoomQuery {
        tenant: "acme".to_owned(),
        prefix: "call:".to_owned(),
        after: None,
        limit: 10,
    };
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = n1.broker.rooms(query.clone()).await.unwrap();
        assert!(page.rooms.len() <= 10);
        found.extend(page.rooms);
        pages += 1;
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    found.sort();
    wanted.sort();
    assert_eq!((found, pages), (wanted, 3));
    n1.leave("other", "bob", 1);
    n1.until_members("other", &[]).await;
    let all = RoomQuery {
        prefix: String::new(),
        after: None,
        limit: 100,
        ..query
    };
    let page = n1.broker.rooms(all.clone()).await.unwrap();
    assert_eq!(
        (page.rooms.len(), page.next),
        (26, None),
        "a room that ended is gone"
    );
    for bad in ["", "no cursor", "7:no room"] {
        let bad = RoomQuery {
            after: Some(bad.to_owned()),
            ..all.clone()
        };
        assert_eq!(n1.broker.rooms(bad).await, Err(BrokerError::BadCursor));
    }
    let none = RoomQuery {
        tenant: "nobody".to_owned(),
        ..all
    };
    assert_eq!(n1.broker.rooms(none).await.unwrap().rooms, []);
}

async fn rooms_of_different_tenants_do_not_meet(cluster: Cluster) {
    let n1 = cluster.node("n1").await;
    n1.join("lobby", "bob", 1).await;
    let other = switchboard_protocol::RoomKey::parse("other/lobby").unwrap();
    let theirs = switchboard_core::RoomJoin {
        room: other.clone(),
        ..join("lobby", member("eve", 2))
    };
    assert!(n1.join_with(theirs).await.unwrap().is_first);
    assert_eq!(
        n1.broker.roster(&other).await.unwrap().members,
        [member("eve", 2)]
    );
    n1.until_members("lobby", &["bob"]).await;
    n1.publish_to_room("lobby", &[1]).await.unwrap();
    until("it came", PATIENCE, || n1.room_messages("lobby").len() == 1).await;
    assert_eq!(n1.seen.room_messages.lock().len(), 1);
}

async fn five_hundred_members_join_at_once(cluster: Cluster) {
    const MEMBERS: usize = 500;
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    for number in 0..MEMBERS {
        let node = if number % 2 == 0 { &n1 } else { &n2 };
        let join = join("lobby", member(&format!("p{number}"), 1));
        assert_eq!(join.max_members, MANY);
        node.broker.join_room(join).unwrap();
    }
    for node in [&n1, &n2] {
        until("all are answered", PATIENCE, || {
            node.seen.room_joined.lock().len() == MEMBERS / 2
        })
        .await;
        let joined = node.seen.room_joined.lock();
        assert!(joined.iter().all(|(.., outcome)| outcome.is_ok()));
    }
    n1.until_members_count("lobby", MEMBERS).await;
    // Nobody missed a change that came after its own join.
    for node in [&n1, &n2] {
        until("the last change came", PATIENCE, || {
            let joined = node.seen.room_joined.lock().len();
            node.changes("lobby").len() >= MEMBERS / 2 && joined == MEMBERS / 2
        })
        .await;
    }
}
