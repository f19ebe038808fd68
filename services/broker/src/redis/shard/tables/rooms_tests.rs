//! Members, calls that wait, and rooms that are due.

use switchboard_core::RoomJoin;
use switchboard_protocol::LeaveReason;

use super::*;
use crate::redis::command::room_call::Creation;

const S1: SessionId = SessionId::from_bytes([1; 12]);
const S2: SessionId = SessionId::from_bytes([2; 12]);

fn lobby() -> RoomKey {
    RoomKey::parse("acme/lobby").unwrap()
}

fn bob() -> PeerId {
    PeerId::new("bob").unwrap()
}

fn member(session: SessionId) -> RoomMember {
    RoomMember {
        peer: bob(),
        session,
        info: None,
        state: MemberState::Online,
    }
}

fn join() -> RoomCall {
    let join = RoomJoin {
        room: lobby(),
        member: member(S1),
        wants_roster: false,
        max_members: 1,
        max_rooms: 0,
    };
    RoomCall::Join {
        join,
        creation: Creation::Free,
    }
}

fn leave(entry: RoomEntry) -> RoomLeave {
    RoomLeave {
        room: lobby(),
        peer: bob(),
        entry,
        reason: LeaveReason::Left,
    }
}

fn entered(version: u64) -> RoomDelta {
    RoomDelta {
        previous: version - 1,
        version,
        change: RoomChange::Entered(member(S1)),
    }
}

fn left(version: u64, session: SessionId) -> RoomDelta {
    let change = RoomChange::Left {
        peer: bob(),
        session,
        reason: LeaveReason::Kicked,
    };
    RoomDelta {
        previous: version - 1,
        version,
        change,
    }
}

/// A table in which bob is in the lobby since version 5; the room was created at 4.
fn table() -> RoomTable {
    let mut table = RoomTable::default();
    assert!(table.enter(&lobby(), member(S1)));
    table.entered(&lobby(), &member(S1), 5, 4);
    table
}

fn is_there(table: &RoomTable) -> bool {
    table.get(&lobby(), &bob()).is_some()
}

#[test]
fn the_first_member_of_a_room_is_a_user_of_its_channel() {
    let mut table = table();
    assert!(!table.enter(&lobby(), member(S2)));
    assert!(table.forget(&lobby()).0);
    assert!(!table.forget(&lobby()).0);
    assert!(table.enter(&lobby(), member(S1)));
}

#[test]
fn calls_wait_for_the_channel_and_for_those_before_them() {
    let mut table = RoomTable::default();
    table.enter(&lobby(), member(S1));
    assert!(table.wait(&lobby(), join(), false).is_none());
    let call = RoomCall::Leave(leave(RoomEntry::Own(S1)));
    assert!(table.wait(&lobby(), call, true).is_none(), "behind the join");
    let (has_missed, waited) = table.subscribed("acme/lobby");
    assert!(!has_missed);
    assert!(matches!(waited[..], [RoomCall::Join { .. }, RoomCall::Leave(_)]));
    assert!(table.wait(&lobby(), join(), true).is_some());
    let call = RoomCall::Leave(leave(RoomEntry::Any));
    let elsewhere = RoomKey::parse("acme/hall").unwrap();
    assert!(
        table.wait(&elsewhere, call, false).is_some(),
        "no channel of this node"
    );
}

#[test]
fn a_channel_that_was_lost_may_have_missed_something() {
    let mut table = table();
    assert!(!table.subscribed("acme/lobby").0);
    assert_eq!(table.lost().len(), 0);
    assert!(table.subscribed("acme/lobby").0);
    assert!(!table.subscribed("acme/lobby").0, "once");
    table.lost();
    table.forget(&lobby());
    table.enter(&lobby(), member(S1));
    assert!(!table.subscribed("acme/lobby").0, "a new start");
}

#[test]
fn a_room_is_over_when_nobody_uses_it_and_no_member_is_left() {
    let mut table = table();
    assert!(!table.remove_if_over(&lobby()));
    table.forget(&lobby());
    assert!(!table.remove_if_over(&lobby()), "a detached member stays");
    table.leave(&leave(RoomEntry::Own(S1)));
    assert!(table.remove_if_over(&lobby()) && !table.remove_if_over(&lobby()));
}

#[test]
fn a_leave_removes_only_the_entry_that_is_meant() {
    for (entry, goes) in [
        (RoomEntry::Any, true),
        (RoomEntry::Own(S1), true),
        (RoomEntry::OfSession(S1), true),
        (RoomEntry::Own(S2), false),
        (RoomEntry::OfSession(S2), false),
        (RoomEntry::OwnDetached(S1), false),
    ] {
        let mut table = table();
        table.leave(&leave(entry));
        assert_eq!(is_there(&table), !goes, "{entry:?}");
    }
    let mut table = table();
    table.detach(&lobby(), &bob(), S2);
    table.leave(&leave(RoomEntry::OwnDetached(S1)));
    assert!(is_there(&table));
    table.detach(&lobby(), &bob(), S1);
    table.leave(&leave(RoomEntry::OwnDetached(S1)));
    assert!(!is_there(&table));
}

#[test]
fn an_entry_that_changed_elsewhere_is_not_this_nodes_any_more() {
    let gone = |delta: &RoomDelta, is_own| {
        let mut table = table();
        table.on_delta(&lobby(), delta, is_own);
        !is_there(&table)
    };
    assert!(gone(&entered(6), false) && gone(&left(6, S1), false));
    assert!(!gone(&entered(6), true) && !gone(&left(6, S2), false));
    assert!(
        !gone(&entered(5), false) && !gone(&left(4, S1), false),
        "older than the entry"
    );
    let mut table = RoomTable::default();
    table.enter(&lobby(), member(S1));
    table.on_delta(&lobby(), &left(6, S1), false);
    assert!(is_there(&table), "a join on its way may be newer");
}

#[test]
fn a_room_that_is_created_again_under_its_members_was_lost() {
    let mut table = table();
    assert!(!table.is_lost(&lobby(), 4) && table.is_lost(&lobby(), 7) && table.is_lost(&lobby(), 0));
    let other = RoomMember {
        peer: PeerId::new("eve").unwrap(),
        ..member(S2)
    };
    let delta = RoomDelta {
        previous: 0,
        version: 7,
        change: RoomChange::Entered(other.clone()),
    };
    table.on_delta(&lobby(), &delta, false);
    assert_eq!((table.due(), table.list_due()), (1, vec![lobby()]));
    table.settled(&lobby());
    assert_eq!(table.due(), 0);
    // The same, learnt by a join.
    table.enter(&lobby(), other.clone());
    table.entered(&lobby(), &other, 8, 7);
    assert_eq!(table.due(), 1);
    table.settled(&lobby());
    let third = RoomMember {
        peer: PeerId::new("ann").unwrap(),
        ..member(S2)
    };
    table.enter(&lobby(), third.clone());
    table.entered(&lobby(), &third, 9, 7);
    assert_eq!(table.due(), 0, "the creation is known");
}

#[test]
fn confirmed_members_are_due_in_a_new_epoch_until_they_were_written() {
    let mut table = table();
    let eve = RoomMember {
        peer: PeerId::new("eve").unwrap(),
        ..member(S2)
    };
    table.enter(&lobby(), eve);
    table.may_be_swept();
    table.next_epoch();
    let due = table.due_members(&lobby());
    assert_eq!(
        (due.len(), due[0].local.creation, due[0].may_be_swept),
        (1, 4, true)
    );
    assert_eq!(due[0].local.member.peer, bob(), "eve's join is on its way");
    let stands = Reasserted::Stands {
        entered: 9,
        creation: 8,
    };
    table.reasserted(&due[0], stands);
    table.settled(&lobby());
    assert_eq!(table.get(&lobby(), &bob()).unwrap().entered, 9);
    assert!(!table.is_lost(&lobby(), 8));
    let again = table.due_members(&lobby());
    assert!(!again[0].may_be_swept);
    table.reasserted(&due[0], Reasserted::Gone);
    assert!(is_there(&table), "the entry is another one by now");
    table.reasserted(&again[0], Reasserted::Gone);
    assert!(!is_there(&table));
}

#[test]
fn a_room_that_is_over_is_not_due_and_gives_its_memory_back() {
    let mut table = RoomTable::default();
    let rooms: Vec<_> = (0..1_000)
        .map(|number| RoomKey::parse(&format!("acme/r{number}")).unwrap())
        .collect();
    for room in &rooms {
        table.enter(room, member(S1));
    }
    table.next_epoch();
    assert_eq!(table.due(), 1_000);
    let full = table.rooms.capacity();
    for room in &rooms {
        table.remove(room, &bob(), S1);
        table.forget(room);
        assert!(table.remove_if_over(room));
    }
    assert_eq!(table.due(), 0);
    assert!(table.rooms.capacity() < full / 4);
}
