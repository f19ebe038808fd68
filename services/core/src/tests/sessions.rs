//! Sessions that outlive their connection: their snapshot, what their senders transmit again, what the next
//! connection finds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use switchboard_protocol::{ErrorCode, LeaveReason, NodeMessage};

use super::harness::*;
use crate::{
    AttachRequest, Attachment, BrokerEvents as _, ClaimOutcome, OnDisconnect, PreviousOwner, Retention,
    SessionSnapshot, Unacked,
};

const WINDOW: Duration = Duration::from_secs(60);

fn acks() -> AttachRequest {
    AttachRequest {
        acks: true,
        ..AttachRequest::default()
    }
}

/// The retention of this detach, if it is one.
fn retention(asked: &Asked) -> Option<&Option<Retention>> {
    match asked {
        Asked::Detach(retention) => Some(retention),
        Asked::Publish(..)
        | Asked::Locate(..)
        | Asked::Watch(_)
        | Asked::Unwatch(_)
        | Asked::ToNode(..)
        | Asked::Store(_)
        | Asked::ReadOfflineQueue
        | Asked::RemoveStored(..)
        | Asked::Touch(_)
        | Asked::EndSession
        | Asked::LeaveRoom(_)
        | Asked::Revoke(_) => None,
    }
}

/// The retention of the last detach; `None` when the session ended.
fn kept(node: &Node) -> Option<Retention> {
    let asked = node.asked();
    asked
        .iter()
        .filter_map(retention)
        .next_back()
        .expect("a detach")
        .clone()
}

/// Lets the next attach on `node` find a detached session.
fn finds(node: &Node, retention: Retention, offline_queue: Vec<Bytes>) {
    *node.bus.record.lock() = Some(ClaimOutcome {
        fence: 2,
        confirmed: true,
        previous: None,
        snapshot: retention.snapshot,
        offline_queue,
        rooms: Vec::new(),
    });
}

fn resuming(earlier: &Attachment, seen: u64, acks: bool) -> AttachRequest {
    AttachRequest {
        resume: Some((earlier.token(), seen)),
        acks,
        reject: false,
    }
}

#[test]
fn what_was_not_done_is_asked_for_again_and_goes_to_the_next_connection_once() {
    let (n1, n2, n3) = (Node::new("n1"), Node::new("n2"), Node::new("n3"));
    let (alice, bob) = (n1.attach("alice"), n2.attach_as("bob", acks()));
    for (id, payload) in [(1, "1"), (2, "2"), (3, "3")] {
        n1.send(&alice, "bob", id, payload);
    }
    n1.carry_to(&n2);
    // The socket took all three, the client acknowledged the first.
    assert_eq!(take(&bob).len(), 3);
    n2.router.done(bob.session(), 1);
    n2.flush_acks();
    n2.carry_to(&n1);
    assert_eq!(write(&alice), ["1 delivered"]);

    let again = resuming(&bob, 2, true);
    drop(bob);
    n2.flush_acks();
    let asked = n2.asked();
    let retention = asked.iter().find_map(retention).cloned().flatten();
    asked.into_iter().for_each(|asked| n2.carry(asked, &n1));
    let retention = retention.expect("the session is kept");
    let snapshot = retention.snapshot.as_ref().expect("with how far it had got");
    assert_eq!(snapshot.last_seq, 3);
    let tail: Vec<_> = snapshot
        .tail
        .iter()
        .map(|Unacked { seq, id, .. }| (*seq, *id))
        .collect();
    assert_eq!(tail, [(2, 2), (3, 3)]);

    // The client has seen 2, and says so on n3: 2 is done, 3 comes again.
    finds(&n3, retention, Vec::new());
    let bob = n3.attach_as("bob", again);
    assert!(bob.is_resumed() && !bob.has_gap());
    n1.retry(&alice, "bob", WINDOW / 60);
    n1.carry_to(&n3);
    assert_eq!(write(&bob), ["alice #4 3"]);
    n3.flush_acks();
    n3.carry_to(&n1);
    assert_eq!(write(&alice), ["2 delivered", "3 delivered"]);
}

#[test]
fn a_send_to_a_detached_peer_is_queued_and_then_delivered_out_of_the_offline_queue() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let alice = n1.attach("alice");
    n1.send(&alice, "bob", 1, "1");
    let (mid, to) = &n1.published();
    n1.router.on_published(*mid, to, Ok(0));
    let [Asked::Store(message)] = &n1.asked()[..] else {
        panic!("one message")
    };
    n1.router.on_stored(*mid, to, Ok(queued_for(WINDOW)));
    n1.router.on_stored(*mid, to, Ok(queued_for(WINDOW)));
    assert_eq!(
        write(&alice),
        [r#"{"type":"receipt","id":1,"status":"queued"}"#],
        "said once"
    );

    let bob = n2.attach("bob");
    let again = resuming(&bob, 0, false);
    drop(bob);
    finds(&n2, kept(&n2).unwrap(), vec![message.envelope.clone().into()]);
    let bob = n2.attach_as("bob", again);
    assert_eq!(write(&bob), ["alice #1 1"]);
    n2.flush_acks();
    let asked = n2.asked();
    assert!(
        asked
            .iter()
            .any(|asked| matches!(asked, Asked::RemoveStored(1, _)))
    );
    asked.into_iter().for_each(|asked| n2.carry(asked, &n1));
    assert_eq!(write(&alice), ["1 delivered"]);
}

#[test]
fn a_queued_send_whose_receiver_never_comes_back_expires() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = &node.published();
    node.router.on_stored(*mid, to, Ok(queued_for(WINDOW)));
    let next = node.retry(&alice, "bob", Duration::ZERO);
    assert!(
        next.is_some_and(|next| next < Instant::now() + WINDOW),
        "its timer runs now and then"
    );
    assert_eq!(write(&alice).len(), 1, "queued, and nothing else");
    assert!(node.asked().is_empty(), "not at once");
    node.retry(&alice, "bob", WINDOW / 2);
    assert_eq!(
        node.asked().len(),
        1,
        "transmitted again, in case the offline queue was lost"
    );
    node.retry(&alice, "bob", WINDOW * 2);
    assert_eq!(write(&alice), error(1, ErrorCode::Expired));
}

#[test]
fn without_acknowledgements_a_gap_is_said_exactly_when_the_client_missed_something() {
    for (seen, has_gap) in [(2, false), (1, true)] {
        let node = Node::new("n1");
        let (alice, bob) = (node.attach("alice"), node.attach("bob"));
        node.send(&alice, "bob", 1, "1");
        node.send(&alice, "bob", 2, "2");
        write(&bob);
        let again = resuming(&bob, seen, false);
        drop(bob);
        finds(&node, kept(&node).unwrap(), Vec::new());
        let bob = node.attach_as("bob", again);
        assert_eq!((bob.is_resumed(), bob.has_gap()), (true, has_gap), "seen {seen}");
        node.send(&alice, "bob", 3, "3");
        assert_eq!(write(&bob), ["alice #3 3"], "numbers go on");
    }
}

#[test]
fn a_resume_while_the_old_connection_still_hangs_returns_its_messages() {
    let node = Node::new("n1");
    let (alice, old) = (node.attach("alice"), node.attach_as("bob", acks()));
    node.send(&alice, "bob", 1, "1");
    assert_eq!(take(&old).len(), 1, "written, never acknowledged");
    let again = resuming(&old, 0, true);
    node.finds_owner(PreviousOwner {
        node: node.router.node().clone(),
        session: old.session().id(),
    });
    let bob = node.attach_as("bob", again);
    assert_eq!(write(&old), ["close 1000"]);
    drop(old);
    node.retry(&alice, "bob", WINDOW / 60);
    assert_eq!(
        write(&bob),
        ["alice #2 1"],
        "once more, because nobody acknowledged it"
    );
    assert_eq!(write(&alice), ["1 delivered"]);
    assert!(
        !node.asked().iter().any(|asked| matches!(asked, Asked::Detach(_))),
        "the session is in use"
    );
}

#[test]
fn a_connection_that_hung_while_its_session_was_elsewhere_has_no_say_in_what_the_client_has_seen() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, stale) = (n1.attach("alice"), n1.attach_as("bob", acks()));
    n1.send(&alice, "bob", 1, "1");
    assert_eq!(
        take(&stale).len(),
        1,
        "written as number 1, into a connection that is dead"
    );
    // Elsewhere the client saw another number 1.
    finds(
        &n2,
        Retention {
            snapshot: Some(SessionSnapshot::default()),
            window: WINDOW,
        },
        Vec::new(),
    );
    let elsewhere = n2.attach_as("bob", resuming(&stale, 0, true));
    n2.send(&elsewhere, "bob", 1, "2");
    assert_eq!(take(&elsewhere).len(), 1);
    let again = resuming(&elsewhere, 1, true);
    drop(elsewhere);
    finds(&n1, kept(&n2).unwrap(), Vec::new());
    let bob = n1.attach_as("bob", again);
    n1.retry(&alice, "bob", WINDOW / 60);
    assert_eq!(write(&bob), ["alice #2 1"]);
    assert_eq!(write(&alice), ["1 delivered"]);
}

#[test]
fn a_session_that_is_gone_begins_anew_and_says_so() {
    let node = Node::new("n1");
    let bob = node.attach("bob");
    let again = resuming(&bob, 5, true);
    drop(bob);
    let bob = node.attach_as("bob", again.clone());
    assert_eq!((bob.is_resumed(), bob.has_gap()), (false, true));
    assert_ne!(Some(bob.token()), again.resume.map(|(token, _)| token));
}

#[test]
fn a_client_that_says_good_bye_leaves_nothing_behind() {
    let node = Node::new("n1");
    let mut bob = node.attach("bob");
    bob.on_disconnect(OnDisconnect::End, LeaveReason::Left);
    drop(bob);
    assert_eq!(kept(&node), None);
}

#[test]
fn the_sends_of_a_lost_connection_go_on_and_are_taken_up_by_its_resume() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    let lost = n1.asked();
    assert_eq!(lost.len(), 1, "… and lost");
    let again = resuming(&alice, 0, true);
    drop(alice);
    finds(&n1, kept(&n1).unwrap(), Vec::new());
    let alice = n1.attach_as("alice", again);
    n1.send(&alice, "bob", 1, "1");
    assert!(
        n1.asked().is_empty(),
        "repeated by the client, it is still under way"
    );
    n1.retry(&alice, "bob", WINDOW / 60);
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["alice #1 1"]);
    n2.flush_acks();
    n2.carry_to(&n1);
    assert_eq!(write(&alice), ["1 delivered"]);
}

#[test]
fn a_takeover_by_a_stale_claim_does_not_close_a_session_that_came_back() {
    let node = Node::new("n1");
    finds(
        &node,
        Retention {
            snapshot: Some(SessionSnapshot::default()),
            window: WINDOW,
        },
        Vec::new(),
    );
    let bob = node.attach("bob");
    let takeover = |fence| NodeMessage::Takeover {
        key: key("bob"),
        session: bob.session().id(),
        fence,
    };
    node.router.on_node_message(takeover(1).encode().into());
    assert!(write(&bob).is_empty(), "this claim is newer");
    node.router.on_node_message(takeover(3).encode().into());
    assert_eq!(write(&bob), ["close 4409"]);
}

#[tokio::test]
async fn a_resume_starts_the_timers_of_the_sends_that_it_takes_over() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let before = Instant::now();
    node.send(&alice, "bob", 1, "1");
    let again = resuming(&alice, 0, true);
    drop(alice);
    finds(&node, kept(&node).unwrap(), Vec::new());
    let _alice = node.attach_as("alice", again);
    let first = node.router.sender_side().next_run();
    assert!(first.is_some_and(|at| at >= before + Duration::from_millis(150)));
    let run = tokio::time::timeout(Duration::from_millis(500), node.router.run());
    assert!(run.await.is_err(), "it never completes");
    assert!(!node.asked().is_empty(), "transmitted again");
}
