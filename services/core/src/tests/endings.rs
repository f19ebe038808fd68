//! How sessions and sends end: by what a close means, by what a client claims to have seen, by the sender's clock.

use std::time::{Duration, Instant};

use switchboard_protocol::{LeaveReason, ResumeToken, SessionId};

use super::harness::*;
use crate::{AttachRequest, BrokerError, BrokerEvents as _, ClaimOutcome, OnDisconnect, SessionSnapshot};

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
