//! The rules of a room, as every backend must keep them.

use switchboard_protocol::{LeaveReason, MemberState, NodeId, PeerId, RoomKey, SessionId};

use crate::{
    BrokerError, JoinError, RoomChange, RoomDelta, RoomEntry, RoomJoin, RoomJoined, RoomLeave, RoomMember,
    RoomQuery, RoomRecords,
};

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn room(name: &str) -> RoomKey {
    RoomKey::parse(&format!("acme/{name}")).unwrap()
}

fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::BYTES])
}

fn join(name: &str, who: &str, number: u8) -> RoomJoin {
    RoomJoin {
        room: room(name),
        member: RoomMember {
            peer: peer(who),
            session: session(number),
            info: None,
            state: MemberState::Online,
        },
        wants_roster: false,
        max_members: 2,
        max_rooms: 2,
    }
}

fn leave(name: &str, who: &str, entry: RoomEntry) -> RoomLeave {
    RoomLeave {
        room: room(name),
        peer: peer(who),
        entry,
        reason: LeaveReason::Left,
    }
}

fn joined(records: &mut RoomRecords, join: &RoomJoin, on: &str) -> (RoomJoined, Option<RoomDelta>) {
    records.join(join, &node(on)).unwrap()
}

#[test]
fn each_change_names_the_version_before_it_and_a_new_room_begins_above_the_old_one() {
    let mut records = RoomRecords::default();
    let (first, delta) = joined(&mut records, &join("lobby", "alice", 1), "n1");
    assert!(first.is_first && first.is_new && first.previous == 0);
    assert_eq!(delta.unwrap().version, first.version);
    let (second, delta) = joined(&mut records, &join("lobby", "bob", 2), "n2");
    assert!(!second.is_first && second.previous == first.version && second.version > first.version);
    assert!(matches!(delta.unwrap().change, RoomChange::Entered(member) if member.peer == peer("bob")));
    let (left, delta) = records
        .leave(&leave("lobby", "bob", RoomEntry::Any), &node("n1"))
        .unwrap();
    assert!(!left.is_last && delta.previous == second.version);
    let (left, delta) = records
        .leave(&leave("lobby", "alice", RoomEntry::Any), &node("n1"))
        .unwrap();
    assert!(left.is_last);
    let (again, _) = joined(&mut records, &join("lobby", "alice", 1), "n1");
    assert!(again.is_first && again.previous == 0 && again.version > delta.version);
}

#[test]
fn a_member_that_joins_again_changes_nothing_and_one_that_moves_is_not_new() {
    let mut records = RoomRecords::default();
    let (first, _) = joined(&mut records, &join("lobby", "alice", 1), "n1");
    let (again, delta) = joined(&mut records, &join("lobby", "alice", 1), "n1");
    assert_eq!(
        (again.previous, again.version, delta),
        (first.version, first.version, None)
    );
    let (moved, delta) = joined(&mut records, &join("lobby", "alice", 1), "n2");
    assert!(!moved.is_new && delta.is_some());
    // The old node's words about it mean nothing any more.
    let alice = peer("alice");
    assert_eq!(
        records.detach(&room("lobby"), &alice, session(1), &node("n1")),
        None
    );
    assert!(
        records
            .leave(&leave("lobby", "alice", RoomEntry::Own(session(1))), &node("n1"))
            .is_none()
    );
    assert!(records.remove_node(&node("n1")).is_empty());
}

#[test]
fn the_end_of_a_resume_window_removes_only_a_member_that_is_still_detached() {
    let mut records = RoomRecords::default();
    let (lobby, alice, n1) = (room("lobby"), peer("alice"), node("n1"));
    let over = leave("lobby", "alice", RoomEntry::OwnDetached(session(1)));
    joined(&mut records, &join("lobby", "alice", 1), "n1");
    assert!(records.leave(&over, &n1).is_none(), "it is connected");
    assert!(records.detach(&lobby, &alice, session(1), &n1).is_some());
    assert!(records.detach(&lobby, &alice, session(1), &n1).is_none(), "twice");
    assert_eq!(records.roster(&lobby).members[0].state, MemberState::Detached);
    assert!(records.leave(&over, &n1).is_some());
    assert_eq!(records.roster(&lobby).members.len(), 0);
}

#[test]
fn a_session_that_ended_is_removed_on_any_node_but_not_its_successor() {
    let mut records = RoomRecords::default();
    joined(&mut records, &join("lobby", "alice", 1), "n1");
    let old = leave("lobby", "alice", RoomEntry::OfSession(session(1)));
    joined(&mut records, &join("lobby", "alice", 2), "n2");
    assert!(records.leave(&old, &node("n3")).is_none());
    let new = leave("lobby", "alice", RoomEntry::OfSession(session(2)));
    assert!(records.leave(&new, &node("n3")).is_some());
}

#[test]
fn a_full_room_takes_its_own_members_again_and_a_tenant_has_a_share_of_its_own() {
    let mut records = RoomRecords::default();
    joined(&mut records, &join("lobby", "alice", 1), "n1");
    joined(&mut records, &join("lobby", "bob", 2), "n1");
    let eve = join("lobby", "eve", 3);
    assert_eq!(records.join(&eve, &node("n1")), Err(JoinError::Full));
    joined(&mut records, &join("lobby", "bob", 2), "n2");
    joined(&mut records, &join("attic", "bob", 2), "n1");
    let third = join("cellar", "bob", 2);
    assert_eq!(records.join(&third, &node("n1")), Err(JoinError::TooManyRooms));
    let other = RoomJoin {
        room: RoomKey::parse("other/cellar").unwrap(),
        ..third.clone()
    };
    joined(&mut records, &other, "n1");
    records
        .leave(&leave("attic", "bob", RoomEntry::Any), &node("n1"))
        .unwrap();
    joined(&mut records, &third, "n1");
}

#[test]
fn a_dead_node_takes_its_members_with_it() {
    let mut records = RoomRecords::default();
    joined(&mut records, &join("lobby", "alice", 1), "n1");
    joined(&mut records, &join("lobby", "bob", 2), "n2");
    joined(&mut records, &join("attic", "alice", 1), "n1");
    let removed = records.remove_node(&node("n1"));
    let ended: Vec<_> = removed
        .iter()
        .map(|(room, left, _)| (room.room(), left.is_last))
        .collect();
    assert_eq!(ended, [("attic", true), ("lobby", false)]);
    assert!(
        removed
            .iter()
            .all(|(_, left, _)| left.reason == LeaveReason::Lost)
    );
}

#[test]
fn rooms_are_listed_by_prefix_page_by_page_and_never_those_of_another_tenant() {
    let mut records = RoomRecords::default();
    for name in ["call-1", "call-2", "call-3", "lobby"] {
        let join = RoomJoin {
            max_rooms: 0,
            ..join(name, "alice", 1)
        };
        joined(&mut records, &join, "n1");
    }
    let foreign = RoomJoin {
        room: RoomKey::parse("other/call-4").unwrap(),
        ..join("call-4", "alice", 1)
    };
    joined(&mut records, &foreign, "n1");
    let mut query = RoomQuery {
        tenant: "acme".into(),
        prefix: "call-".into(),
        after: None,
        limit: 2,
    };
    let names = |records: &RoomRecords, query: &RoomQuery| {
        let page = records.page(query).unwrap();
        let names: Vec<_> = page.rooms.iter().map(|(room, _)| room.to_string()).collect();
        (names, page.next)
    };
    let (first, next) = names(&records, &query);
    assert_eq!(first, ["call-1", "call-2"]);
    query.after = next;
    assert_eq!(names(&records, &query), (vec!["call-3".to_owned()], None));
    query.after = Some("no room".into());
    assert_eq!(records.page(&query), Err(BrokerError::BadCursor));
}
