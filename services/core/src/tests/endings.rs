//! How sessions and sends end: by what a close means, by what a client claims to have seen, by the sender's clock.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use switchboard_protocol::{LeaveReason, ResumeToken, RoomId, SessionId};

use super::{
    harness::*,
    room_bus::{RoomBus, lose, quiet, reads},
};
use crate::{
    AttachRequest, BrokerError, BrokerEvents as _, ClaimOutcome, OnDisconnect, RoomEntry, RoomMembership,
    SessionSnapshot,
};

const WINDOW: Duration = Duration::from_secs(60);

#[test]
fn a_page_that_goes_away_can_resume_for_the_away_window_and_a_lost_one_for_the_resume_window() {
    for (on_disconnect, window_s) in [
        (OnDisconnect::Detach, Some(60)),
        (OnDisconnect::Away, Some(5)),
        (OnDisconnect::End, None),
    ] {
        let node = Node::new("n1");
        let mut alice = node.attach("alice");
        alice.on_disconnect(on_disconnect, LeaveReason::Lost);
        drop(alice);
        let kept = node.asked().into_iter().find_map(|asked| {
            let Asked::Detach(retention) = asked else {
                return None;
            };
            Some(retention.map(|retention| retention.window.as_secs()))
        });
        assert_eq!(kept, Some(window_s), "{on_disconnect:?}");
    }
}

/// The number of the next message of a session that resumes with `seen`.
fn next_seq(snapshot: Option<SessionSnapshot>, seen: u64) -> String {
    let node = Node::new("n1");
    *node.bus.record.lock() = Some(ClaimOutcome {
        snapshot,
        ..ClaimOutcome::default()
    });
    let token = ResumeToken::new(SessionId::from_bytes([5; 12]), [6; 16]);
    let request = AttachRequest {
        resume: Some((token, seen)),
        ..AttachRequest::default()
    };
    let (bob, alice) = (node.attach_as("bob", request), node.attach("alice"));
    assert!(bob.is_resumed());
    node.send(&alice, "bob", 1, "1");
    write(&bob).remove(0)
}

#[test]
fn a_client_cannot_have_seen_more_than_was_sent_so_numbers_never_wrap() {
    let snapshot = || {
        Some(SessionSnapshot {
            last_seq: 5,
            ..SessionSnapshot::default()
        })
    };
    assert_eq!(next_seq(snapshot(), 3), "alice #6 1");
    assert_eq!(next_seq(snapshot(), u64::MAX), "alice #6 1");
    assert_eq!(next_seq(None, 7), "alice #8 1");
    assert_eq!(next_seq(None, u64::MAX), "alice #9007199254740993 1");
}

/// A send that was queued, and with the seconds since then what its sender reads while every few seconds `report` says the same of it.
fn queued_for_long(report: impl Fn(&Node)) -> Vec<(u64, String)> {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let start = Instant::now();
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    node.router.on_stored(mid, &to, Ok(queued_for(WINDOW)));
    assert!(write(&alice)[0].contains("queued"));
    let mut read = Vec::new();
    for seconds in (5..300).step_by(5) {
        node.pass(Duration::from_secs(5));
        node.retry_at(&alice, "bob", start + Duration::from_secs(seconds));
        report(&node);
        read.extend(write(&alice).into_iter().map(|text| (seconds, text)));
    }
    read
}

fn each_publish(node: &Node, report: impl Fn(&Node, switchboard_protocol::Mid)) {
    for asked in node.asked() {
        if let Asked::Publish(mid, ..) = asked {
            report(node, mid);
        }
    }
}

#[test]
fn a_queued_send_expires_by_the_senders_clock_however_often_it_is_stored_again() {
    let read = queued_for_long(|node| {
        each_publish(node, |node, mid| {
            node.router.on_stored(mid, &key("bob"), Ok(queued_for(WINDOW)));
        });
    });
    assert_eq!(read, [(75, "1 expired".into())]);
}

#[test]
fn a_queued_send_expires_by_the_senders_clock_while_the_bus_is_away() {
    let read = queued_for_long(|node| {
        each_publish(node, |node, mid| {
            node.router
                .on_published(mid, &key("bob"), Err(BrokerError::Unavailable));
        });
    });
    assert_eq!(read, [(70, "1 expired".into())]);
    let read = queued_for_long(|node| *node.bus.is_down.lock() = true);
    assert_eq!(read, [(70, "1 expired".into())]);
}

#[test]
fn a_member_that_is_kicked_while_it_is_away_leaves_at_once_and_cannot_return() {
    let bus = RoomBus::default();
    let (n1, n2) = (bus.node("n1"), bus.node("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.join(&alice, "lobby");
    n1.join(&alice, "hall");
    n2.join(&bob, "lobby");
    quiet(&[&n1, &n2]);
    reads(&bob);
    let earlier = lose(alice, 0);
    quiet(&[&n1, &n2]);
    let kick = || n2.router.kick(&key("alice")).now_or_never().unwrap();
    assert_eq!((kick(), kick()), (Ok(true), Ok(false)));
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&bob), ["-alice kicked"]);
    assert_eq!(bus.members("lobby"), ["bob"]);
    assert_eq!(bus.members("hall"), [""; 0]);
    let request = AttachRequest {
        resume: Some(earlier),
        ..AttachRequest::default()
    };
    let again = n1.attach_as("alice", request);
    assert!(!again.is_resumed());
    n1.join(&again, "lobby");
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&bob), ["+alice"]);
    for _ in 0..70 {
        n1.tick();
    }
    quiet(&[&n1, &n2]);
    assert_eq!(reads(&bob), [""; 0], "the end of the old window removes nobody");
}

#[test]
fn a_new_session_that_a_newer_one_overtakes_still_ends_the_rooms_of_the_session_before() {
    let node = Node::new("n1");
    let earlier = SessionId::from_bytes([5; 12]);
    *node.bus.record.lock() = Some(ClaimOutcome {
        fence: 1,
        rooms: vec![RoomMembership {
            room: RoomId::new("lobby").unwrap(),
            session: earlier,
            info: None,
        }],
        ..ClaimOutcome::default()
    });
    *node.bus.is_slow.lock() = true;
    let alice = key("alice");
    let mut overtaken = Box::pin(node.router.attach(&alice, AttachRequest::default()));
    assert!(overtaken.as_mut().now_or_never().is_none());
    let _newer = node.attach("alice");
    let error = overtaken.now_or_never().and_then(Result::err);
    assert_eq!(error, Some(BrokerError::Superseded));
    let mut left = Vec::new();
    for asked in node.asked() {
        if let Asked::LeaveRoom(leave) = asked {
            left.push((leave.room.to_string(), leave.entry));
        }
    }
    assert_eq!(
        left,
        [("default/lobby".to_owned(), RoomEntry::OfSession(earlier))]
    );
}
