//! Rooms over several nodes: who hears what, and when.

use std::time::Duration;

use futures_util::FutureExt as _;
use switchboard_protocol::{LeaveReason, PeerId};

use super::room_bus::{BusEvent, RoomBus, end, lose, quiet, reads, room_key};
use crate::{Attachment, Limits};

fn ignore(members: &[&Attachment]) {
    for member in members {
        reads(member);
    }
}

#[test]
fn members_on_two_nodes_get_the_roster_then_each_change() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join(&alice, "lobby");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), ["joined lobby alice"]);
    n2.join(&bob, "lobby");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&bob), ["joined lobby alice,bob"]);
    assert_eq!(reads(&alice), ["+bob"]);
    n1.leave(&alice, "lobby");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), ["left lobby"]);
    assert_eq!(reads(&bob), ["-alice left"]);
    assert_eq!(bus.members("lobby"), ["bob"]);
}

#[test]
fn a_message_reaches_every_other_member_once_and_its_sender_hears_published() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob, carol) = (n1.attach("alice"), n2.attach("bob"), n1.attach("carol"));
    for (node, member) in [(&n1, &alice), (&n2, &bob), (&n1, &carol)] {
        node.join(member, "lobby");
        quiet(&[&n1, &n2]);
    }
    ignore(&[&alice, &bob, &carol]);
    n1.send(&alice, "lobby", 1, "1");
    n1.send(&alice, "lobby", 2, "2");
    // Its client repeats it after a resume.
    n1.send(&alice, "lobby", 2, "2");
    quiet(&[&n1, &n2]);
    n1.send(&alice, "lobby", 2, "2");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), ["1 published", "2 published", "2 published"]);
    assert_eq!(reads(&bob), ["alice #1 1", "alice #2 2"]);
    assert_eq!(reads(&carol), ["alice #1 1", "alice #2 2"]);
}

#[test]
fn a_peer_that_is_not_in_a_room_cannot_send_to_it_and_cannot_leave_it() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let alice = n1.attach("alice");
    n1.send(&alice, "lobby", 7, "1");
    n1.leave(&alice, "lobby");
    assert_eq!(reads(&alice), ["7 not-in-room", "2 not-in-room"]);
}

#[test]
fn a_resume_elsewhere_is_seen_by_nobody_and_says_that_messages_may_be_missing() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join_as(&alice, "lobby", r#"{"name":"Alice"}"#);
    n2.join(&bob, "lobby");
    quiet(&[&n1, &n2]);
    ignore(&[&alice, &bob]);
    let alice = n2.resume(lose(alice, 0), "alice");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), ["joined lobby alice,bob gap"]);
    assert_eq!(reads(&bob), [""; 0]);
    // The old node's timer ends nothing.
    n1.router.context().clock.advance(Duration::from_secs(61));
    n1.tick();
    quiet(&[&n1, &n2]);
    assert_eq!(bus.members("lobby"), ["alice", "bob"]);
    assert_eq!(reads(&bob), [""; 0]);
}

#[test]
fn a_resume_on_the_same_node_knows_whether_a_message_was_missed() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let (mut alice, bob) = (n1.attach("alice"), n1.attach("bob"));
    n1.join(&alice, "lobby");
    n1.join(&bob, "lobby");
    quiet(&[&n1]);
    ignore(&[&alice, &bob]);
    let token = lose(alice, 0);
    quiet(&[&n1]);
    alice = n1.resume(token, "alice");
    quiet(&[&n1]);
    assert_eq!(reads(&alice), ["joined lobby alice,bob"]);
    let token = lose(alice, 0);
    n1.send(&bob, "lobby", 1, "1");
    quiet(&[&n1]);
    alice = n1.resume(token, "alice");
    quiet(&[&n1]);
    assert_eq!(reads(&alice), ["joined lobby alice,bob gap"]);
    assert_eq!(reads(&bob), ["1 published"]);
}

#[test]
fn a_member_that_does_not_return_is_lost_at_the_end_of_its_window() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let (alice, bob, carol) = (n1.attach("alice"), n1.attach("bob"), n1.attach("carol"));
    for member in [&alice, &bob, &carol] {
        n1.join(member, "lobby");
    }
    quiet(&[&n1]);
    ignore(&[&bob, &carol]);
    drop(alice);
    quiet(&[&n1]);
    n1.router.context().clock.advance(Duration::from_secs(58));
    n1.tick();
    quiet(&[&n1]);
    assert_eq!(reads(&bob), [""; 0]);
    n1.tick();
    quiet(&[&n1]);
    assert_eq!(reads(&bob), ["-alice lost"]);
    end(carol, LeaveReason::Kicked);
    quiet(&[&n1]);
    assert_eq!(reads(&bob), ["-carol kicked"]);
    assert_eq!(bus.members("lobby"), ["bob"]);
}

#[test]
fn a_dead_nodes_members_are_lost_and_return_when_they_resume() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join(&alice, "lobby");
    n2.join(&bob, "lobby");
    quiet(&[&n1, &n2]);
    reads(&bob);
    bus.kill(&n1);
    quiet(&[&n2]);
    assert_eq!(reads(&bob), ["-alice lost"]);
    let token = (alice.token(), 0);
    let alice = n2.resume(token, "alice");
    quiet(&[&n2]);
    assert_eq!(reads(&alice), ["joined lobby alice,bob gap"]);
    assert_eq!(reads(&bob), ["+alice"]);
}

#[test]
fn a_new_session_of_a_peer_is_in_none_of_the_rooms_of_the_old_one() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join(&alice, "lobby");
    n2.join(&bob, "lobby");
    quiet(&[&n1, &n2]);
    reads(&bob);
    let again = n2.attach("alice");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&bob), ["-alice left"]);
    assert_eq!(reads(&again), [""; 0]);
    n2.join(&again, "lobby");
    end(alice, LeaveReason::Left);
    quiet(&[&n1, &n2]);
    assert_eq!(
        bus.members("lobby"),
        ["alice", "bob"],
        "the old connection's end removes nobody"
    );
}

#[test]
fn changes_that_overtake_each_other_are_applied_in_order() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let alice = n1.attach("alice");
    n1.join(&alice, "lobby");
    quiet(&[&n1]);
    reads(&alice);
    for name in ["bob", "carol", "dave"] {
        let member = n2.attach(name);
        n2.join(&member, "lobby");
        n2.leave(&member, "lobby");
    }
    for event in n1.take_queued().into_iter().rev() {
        n1.hear(event);
    }
    let expected = [
        "+bob",
        "-bob left",
        "+carol",
        "-carol left",
        "+dave",
        "-dave left",
    ];
    assert_eq!(reads(&alice), expected);
}

#[test]
fn a_missed_change_brings_the_roster_and_says_what_else_may_be_missing() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob, carol) = (n1.attach("alice"), n2.attach("bob"), n2.attach("carol"));
    n1.join(&alice, "lobby");
    quiet(&[&n1]);
    reads(&alice);
    n2.join(&bob, "lobby");
    assert_eq!(n1.take_queued().len(), 1, "it is lost");
    n2.join(&carol, "lobby");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), [""; 0]);
    n1.tick();
    n1.tick();
    assert_eq!(reads(&alice), ["joined lobby alice,bob,carol gap"]);
    n2.leave(&bob, "lobby");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), ["-bob left"]);
}

#[test]
fn a_channel_that_was_deaf_is_a_gap_even_if_nothing_changed() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let alice = n1.attach("alice");
    n1.join(&alice, "lobby");
    quiet(&[&n1]);
    reads(&alice);
    n1.router.room_side().on_gap(&room_key("lobby"));
    n1.tick();
    n1.tick();
    assert_eq!(reads(&alice), ["joined lobby alice gap"]);
}

#[test]
fn a_member_that_another_node_declared_dead_enters_again() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join(&alice, "lobby");
    n2.join(&bob, "lobby");
    quiet(&[&n1, &n2]);
    ignore(&[&alice, &bob]);
    let lost = crate::RoomLeave {
        room: room_key("lobby"),
        peer: PeerId::new("alice").unwrap(),
        entry: crate::RoomEntry::Any,
        reason: LeaveReason::Lost,
    };
    n2.router.context().broker().unwrap().leave_room(lost);
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&bob), ["-alice lost", "+alice"]);
    assert_eq!(reads(&alice), ["joined lobby alice,bob gap"]);
}

#[test]
fn a_member_that_the_backend_removes_hears_so() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n1.attach("bob"));
    n1.join(&alice, "lobby");
    n1.join(&bob, "lobby");
    quiet(&[&n1]);
    ignore(&[&alice, &bob]);
    let remove = |peer: &str| {
        let peer = PeerId::new(peer).unwrap();
        let removed = n2.router.remove_member(&room_key("lobby"), &peer).now_or_never();
        removed.unwrap().unwrap()
    };
    assert!(remove("alice") && !remove("nobody"));
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&alice), ["left lobby kicked"]);
    assert_eq!(reads(&bob), ["-alice kicked"]);
    n1.send(&alice, "lobby", 3, "1");
    assert_eq!(reads(&alice), ["3 not-in-room"]);
}

#[test]
fn while_the_bus_is_away_a_join_fails_and_a_member_that_returns_waits() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let alice = n1.attach("alice");
    n1.join(&alice, "lobby");
    quiet(&[&n1]);
    reads(&alice);
    bus.set_down(true);
    n1.join(&alice, "attic");
    n1.send(&alice, "lobby", 5, "1");
    assert_eq!(reads(&alice), ["1 bus-unavailable", "5 bus-unavailable"]);
    let alice = n1.resume(lose(alice, 0), "alice");
    n1.tick();
    assert_eq!(reads(&alice), [""; 0]);
    bus.set_down(false);
    n1.tick();
    quiet(&[&n1]);
    assert_eq!(reads(&alice), ["joined lobby alice gap"]);
}

#[test]
fn a_send_and_a_join_without_an_answer_end_at_their_deadline() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let alice = n1.attach("alice");
    n1.join(&alice, "lobby");
    quiet(&[&n1]);
    reads(&alice);
    n1.send(&alice, "lobby", 5, "1");
    n1.join(&alice, "attic");
    n1.take_queued();
    for _ in 0..6 {
        n1.tick();
    }
    let mut ended = reads(&alice);
    ended.sort();
    assert_eq!(ended, ["1 timeout", "5 timeout"]);
    assert_eq!(bus.members("attic"), [""; 0]);
    n1.send(&alice, "attic", 6, "1");
    assert_eq!(reads(&alice), ["6 not-in-room"]);
}

#[test]
fn a_large_room_says_counts_once_a_second_and_names_again_when_it_has_shrunk() {
    let bus = RoomBus::default();
    let limits = Limits {
        roster_members: 10,
        ..Limits::default()
    };
    let n1 = bus.node_with("n1", limits);
    let members: Vec<_> = (0..12)
        .map(|number| {
            let member = n1.attach(&format!("p{number:02}"));
            n1.join(&member, "hall");
            quiet(&[&n1]);
            member
        })
        .collect();
    assert_eq!(reads(&members[11]), ["joined hall 12"], "no names");
    let first = reads(&members[0]);
    assert_eq!(first.len(), 10, "joined, and nine changes: {first:?}");
    n1.tick();
    assert_eq!(reads(&members[0]), ["count 12"]);
    n1.tick();
    assert_eq!(reads(&members[0]), [""; 0]);
    n1.leave(&members[11], "hall");
    n1.leave(&members[10], "hall");
    quiet(&[&n1]);
    n1.tick();
    assert_eq!(reads(&members[0]), ["count 10"]);
    n1.leave(&members[9], "hall");
    quiet(&[&n1]);
    n1.tick();
    let all = "p00,p01,p02,p03,p04,p05,p06,p07,p08";
    assert_eq!(reads(&members[0]), [format!("joined hall {all}")]);
}

#[test]
fn a_slow_member_delays_nobody_and_hears_that_it_missed_something() {
    let bus = RoomBus::default();
    let limits = Limits {
        send_queue_messages: 2,
        ..Limits::default()
    };
    let n1 = bus.node_with("n1", limits);
    let (alice, bob, carol) = (n1.attach("alice"), n1.attach("bob"), n1.attach("carol"));
    for member in [&alice, &bob, &carol] {
        n1.join(member, "lobby");
    }
    quiet(&[&n1]);
    ignore(&[&alice, &bob, &carol]);
    for (id, payload) in [(1, "1"), (2, "2"), (3, "3")] {
        n1.send(&alice, "lobby", id, payload);
        quiet(&[&n1]);
        assert_eq!(reads(&bob), [format!("alice #{id} {payload}")]);
    }
    n1.tick();
    assert_eq!(reads(&carol), ["alice #1 1", "alice #2 2"]);
    n1.tick();
    assert_eq!(reads(&carol), ["joined lobby alice,bob,carol gap"]);
    assert_eq!(reads(&alice), ["1 published", "2 published", "3 published"]);
}

#[test]
fn a_member_that_reads_nothing_holds_a_bounded_number_of_changes() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join(&alice, "lobby");
    quiet(&[&n1]);
    for _ in 0..5_000 {
        n2.join(&bob, "lobby");
        n2.leave(&bob, "lobby");
        quiet(&[&n1, &n2]);
        reads(&bob);
    }
    let read = reads(&alice);
    assert!((10..2_000).contains(&read.len()), "{}", read.len());
    n1.tick();
    assert_eq!(reads(&alice), ["joined lobby alice"]);
}

#[test]
fn rooms_of_a_peer_are_bounded_and_a_full_room_says_so() {
    let bus = RoomBus::default();
    let limits = Limits {
        rooms_per_peer: 2,
        room_members: 1,
        rooms_per_tenant: 3,
        ..Limits::default()
    };
    let n1 = bus.node_with("n1", limits);
    let (alice, bob) = (n1.attach("alice"), n1.attach("bob"));
    for room in ["r1", "r2", "r3", "r1"] {
        n1.join(&alice, room);
    }
    for room in ["r1", "r4", "r5"] {
        n1.join(&bob, room);
        quiet(&[&n1]);
    }
    let event = reads(&alice);
    assert!(event.contains(&"1 not-allowed".into()), "{event:?}");
    assert_eq!(reads(&bob), ["1 room-full", "joined r4 bob", "1 room-full"]);
    n1.leave(&alice, "r2");
    quiet(&[&n1]);
    n1.join(&alice, "r3");
    quiet(&[&n1]);
    assert_eq!(reads(&alice), ["left r2", "joined r3 alice"]);
}

#[test]
fn a_room_without_members_here_leaves_nothing_behind() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let alice = n1.attach("alice");
    n1.join(&alice, "lobby");
    n1.leave(&alice, "lobby");
    quiet(&[&n1]);
    assert_eq!(
        reads(&alice),
        ["1 not-in-room", "left lobby"],
        "the join has its answer too"
    );
    let bob = n1.attach("bob");
    n1.join(&bob, "lobby");
    quiet(&[&n1]);
    drop(bob);
    end(alice, LeaveReason::Left);
    n1.router.context().clock.advance(Duration::from_secs(61));
    n1.tick();
    quiet(&[&n1]);
    n1.tick();
    assert!(n1.router.room_side().is_empty());
    assert!(
        n1.take_queued()
            .iter()
            .all(|event| !matches!(event, BusEvent::Delta(..)))
    );
}

#[test]
fn the_largest_tenants_and_rooms_come_first_with_members_of_all_nodes() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob, carol) = (n1.attach("alice"), n2.attach("bob"), n1.attach("carol"));
    n1.join(&alice, "lobby");
    n2.join(&bob, "lobby");
    n1.join(&carol, "aside");
    quiet(&[&n1, &n2]);
    let rooms = n1.router.largest_rooms(10);
    let rooms: Vec<_> = rooms
        .iter()
        .map(|room| (room.room.as_str(), room.members, room.members_here))
        .collect();
    assert_eq!(rooms, [("lobby", 2, 1), ("aside", 1, 1)]);
    assert_eq!(n1.router.largest_rooms(1).len(), 1);
    let tenants = n1.router.largest_tenants(10);
    assert_eq!(tenants.len(), 1);
    assert_eq!(tenants[0].sessions, 2);
    drop(alice);
}
