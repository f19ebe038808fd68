//! Attaching: which claim is made, what an error of the broker means, and what other nodes ask of a session.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use switchboard_protocol::{NodeId, NodeMessage, SessionId};

use super::harness::*;
use crate::{
    AttachRequest, BrokerError, BrokerEvents as _, ClaimOutcome, ConflictPolicy, Limits, PreviousOwner,
    SessionSnapshot,
};

/// The conflict policy of each claim, and whether it resumes.
fn claims(node: &Node) -> Vec<(ConflictPolicy, bool)> {
    let claims = std::mem::take(&mut *node.bus.claims.lock());
    claims
        .iter()
        .map(|claim| (claim.on_conflict, claim.resume))
        .collect()
}

fn resume(node: &Node) -> AttachRequest {
    let token = node.attach("bob").token();
    claims(node);
    AttachRequest {
        resume: Some((token, 0)),
        ..AttachRequest::default()
    }
}

#[test]
fn a_claim_takes_over_unless_the_token_says_reject() {
    let node = Node::new("n1");
    let _bob = node.attach("bob");
    assert_eq!(claims(&node), [(ConflictPolicy::TakeOver, false)]);
    let reject = AttachRequest {
        reject: true,
        ..AttachRequest::default()
    };
    let _bob = node.attach_as("bob", reject);
    let probe = ConflictPolicy::ProbeThenReject(Duration::from_millis(2500));
    assert_eq!(claims(&node), [(probe, false)]);
}

#[test]
fn a_resume_that_is_not_possible_becomes_a_new_session() {
    let node = Node::new("n1");
    let detach = ConflictPolicy::DetachThenTakeOver(Duration::from_millis(300));
    for error in [BrokerError::NotResumable, BrokerError::Unavailable] {
        let again = resume(&node);
        *node.bus.attach_error.lock() = Some(error);
        let bob = node.attach_as("bob", again);
        assert_eq!((bob.is_resumed(), bob.has_gap()), (false, true));
        assert_eq!(claims(&node), [(detach, true), (ConflictPolicy::TakeOver, false)]);
    }
    assert_eq!(
        node.metric(r#"switchboard_resumes_total{outcome="refused"}"#),
        2.0
    );
}

#[test]
fn other_errors_of_the_broker_end_the_attach() {
    let node = Node::new("n1");
    for error in [
        BrokerError::QueueFull,
        BrokerError::Unsettled,
        BrokerError::Superseded,
        BrokerError::InUse,
        BrokerError::Refused,
    ] {
        let again = resume(&node);
        *node.bus.attach_error.lock() = Some(error);
        assert_eq!(node.try_attach("bob", again).err(), Some(error));
        assert_eq!(claims(&node).len(), 1, "no second claim");
        *node.bus.attach_error.lock() = Some(error);
        assert_eq!(
            node.try_attach("bob", AttachRequest::default()).err(),
            Some(error)
        );
    }
}

#[test]
fn a_first_attach_has_no_gap_and_its_session_has_the_clock_and_the_fence() {
    let node = Node::new("n1");
    *node.bus.record.lock() = Some(ClaimOutcome {
        fence: 7,
        ..ClaimOutcome::default()
    });
    node.pass(Duration::from_secs(10));
    let bob = node.attach("bob");
    assert_eq!((bob.is_resumed(), bob.has_gap()), (false, false));
    assert_eq!((bob.session().fence(), bob.session().since_s()), (7, 11));
    assert_eq!(node.metric("switchboard_sessions"), 1.0);
    drop(bob);
    assert_eq!(node.metric("switchboard_sessions"), 0.0);
}

#[test]
fn a_new_session_knows_what_was_delivered_to_the_last_one_but_not_its_numbers() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n1.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    assert_eq!(write(&bob), ["alice #1 1"]);
    drop(bob);
    let snapshot = n1.asked().into_iter().find_map(|asked| {
        let Asked::Detach(retention) = asked else {
            return None;
        };
        retention?.snapshot
    });
    assert_eq!(snapshot.as_ref().map(|snapshot| snapshot.last_seq), Some(1));
    *n2.bus.record.lock() = Some(ClaimOutcome {
        snapshot,
        ..ClaimOutcome::default()
    });
    let bob = n2.attach("bob");
    n1.send(&alice, "bob", 2, "2");
    n1.retry(&alice, "bob", Duration::from_secs(1));
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["alice #1 2"]);
}

#[test]
fn takeovers_are_counted_and_reported_to_other_nodes_only() {
    let node = Node::new("n1");
    let previous = |node: &str, session| PreviousOwner {
        node: NodeId::new(node).unwrap(),
        session,
    };
    node.finds_owner(previous("n2", SessionId::from_bytes([9; 12])));
    let bob = node.attach("bob");
    assert!(matches!(&node.asked()[..], [Asked::ToNode(to, _)] if to.as_str() == "n2"));
    assert_eq!(node.metric("switchboard_takeovers_total"), 1.0);
    node.finds_owner(previous("n1", bob.session().id()));
    let _newer = node.attach("bob");
    assert!(node.asked().is_empty());
    assert_eq!(node.metric("switchboard_takeovers_total"), 2.0);
    assert_eq!(write(&bob), ["close 4409"]);
}

#[test]
fn an_attach_that_a_newer_one_overtook_gives_its_claim_up() {
    let node = Node::new("n1");
    *node.bus.is_slow.lock() = true;
    let bob = key("bob");
    let mut overtaken = Box::pin(node.router.attach(&bob, AttachRequest::default()));
    assert!(overtaken.as_mut().now_or_never().is_none());
    let newer = node.attach("bob");
    let error = overtaken.now_or_never().and_then(Result::err);
    assert_eq!(error, Some(BrokerError::Superseded));
    assert!(matches!(node.asked()[..], [Asked::Detach(None)]));
    assert_eq!(write(&newer), [""; 0]);
}

/// Another node's message about `bob`'s session.
fn say(node: &Node, message: &NodeMessage) {
    node.router.on_node_message(message.encode().into());
}

#[test]
fn another_node_may_take_over_detach_and_probe_a_session_but_no_other() {
    let node = Node::new("n1");
    *node.bus.record.lock() = Some(ClaimOutcome {
        fence: 2,
        ..ClaimOutcome::default()
    });
    let bob = node.attach("bob");
    let (session, stale) = (bob.session().id(), SessionId::from_bytes([9; 12]));
    let key = || key("bob");
    let takeover = |session, fence| NodeMessage::Takeover {
        key: key(),
        session,
        fence,
    };
    for session in [stale, session] {
        say(&node, &NodeMessage::Probe { key: key(), session });
        assert_eq!(bob.session().has_probe(), session != stale);
    }
    bob.session().clear_probe();
    assert!(!bob.session().has_probe());
    say(&node, &takeover(session, 1));
    say(&node, &takeover(session, 2));
    say(&node, &takeover(stale, 3));
    say(
        &node,
        &NodeMessage::DetachRequest {
            key: key(),
            session: stale,
        },
    );
    assert_eq!(write(&bob), [""; 0], "not newer, or another session");
    say(&node, &NodeMessage::DetachRequest { key: key(), session });
    assert_eq!(write(&bob), ["close 1000"]);
    let carol = node.attach("carol");
    let unconfirmed = NodeMessage::Takeover {
        key: carol.session().key().clone(),
        session: carol.session().id(),
        fence: 0,
    };
    say(&node, &unconfirmed);
    assert_eq!(
        write(&carol),
        ["close 4409"],
        "a takeover without a fence always counts"
    );
}

#[test]
fn a_hint_reads_the_offline_queue_once_until_its_batch_is_done() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    let hint = NodeMessage::OfflineQueueHint { key: key("bob") };
    say(&n2, &NodeMessage::OfflineQueueHint { key: key("carol") });
    assert!(n2.asked().is_empty(), "not here");
    say(&n2, &hint);
    assert!(matches!(n2.asked()[..], [Asked::ReadOfflineQueue]));
    n1.send(&alice, "bob", 1, "1");
    let [Asked::Publish(_, _, envelope)] = &n1.asked()[..] else {
        panic!("one publish")
    };
    let (session, envelope) = (bob.session().id(), Bytes::from(envelope.clone()));
    let bytes = envelope.len();
    let messages = || vec![envelope.clone()];
    n2.router
        .on_offline_queue(&key("bob"), SessionId::from_bytes([9; 12]), messages());
    assert_eq!(take(&bob).len(), 0, "for another session");
    n2.router.on_offline_queue(&key("bob"), session, messages());
    say(&n2, &hint);
    n2.router.on_offline_queue(&key("bob"), session, messages());
    assert!(n2.asked().is_empty(), "a batch is on its way");
    assert_eq!(write(&bob), ["alice #1 1"]);
    match &n2.asked()[..] {
        [Asked::RemoveStored(1, removed), Asked::ReadOfflineQueue] => assert_eq!(*removed, bytes),
        other => panic!("{other:?}"),
    }
    assert_eq!(n2.metric("switchboard_offline_queue_delivered_total"), 1.0);
    n2.router.on_offline_queue(&key("bob"), session, messages());
    assert!(
        matches!(
            n2.asked()[..],
            [Asked::RemoveStored(1, _), Asked::ReadOfflineQueue]
        ),
        "it was delivered before"
    );
    assert_eq!(take(&bob).len(), 0);
    n2.router.on_offline_queue(&key("bob"), session, Vec::new());
    assert!(n2.asked().is_empty());
}

#[test]
fn unreadable_stored_messages_are_removed() {
    let node = Node::new("n1");
    let bob = node.attach("bob");
    let messages = vec![Bytes::from_static(b"\x07garbage")];
    node.router
        .on_offline_queue(&key("bob"), bob.session().id(), messages);
    assert!(matches!(
        node.asked()[..],
        [Asked::RemoveStored(1, 8), Asked::ReadOfflineQueue]
    ));
}

#[test]
fn a_probe_is_answered_through_the_attachment() {
    let node = Node::new("n1");
    let bob = node.attach("bob");
    bob.touch();
    assert!(matches!(node.asked()[..], [Asked::Touch(session)] if session == bob.session().id()));
}

#[test]
fn a_session_without_a_resume_window_is_not_kept() {
    let limits = Limits {
        resume_window: Duration::ZERO,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    drop(node.attach("bob"));
    assert!(matches!(node.asked()[..], [Asked::Detach(None)]));
}

#[test]
fn a_resume_continues_after_the_number_that_the_client_has_seen() {
    let node = Node::new("n1");
    let (alice, token) = (node.attach("alice"), node.attach("bob").token());
    *node.bus.record.lock() = Some(ClaimOutcome {
        snapshot: Some(SessionSnapshot {
            last_seq: 4,
            ..SessionSnapshot::default()
        }),
        ..ClaimOutcome::default()
    });
    let again = AttachRequest {
        resume: Some((token, 4)),
        ..AttachRequest::default()
    };
    let bob = node.attach_as("bob", again);
    assert_eq!(
        (bob.is_resumed(), bob.has_gap(), bob.token()),
        (true, false, token)
    );
    assert_eq!(
        node.metric(r#"switchboard_resumes_total{outcome="complete"}"#),
        1.0
    );
    node.send(&alice, "bob", 1, "1");
    assert_eq!(write(&bob), ["alice #5 1"]);
}

#[test]
fn the_owners_node_is_asked_what_the_policy_says() {
    let (bob, session) = (key("bob"), SessionId::from_bytes([1; 12]));
    let question = |policy: ConflictPolicy| policy.question(&bob, session);
    let key = || bob.clone();
    assert_eq!(question(ConflictPolicy::TakeOver), None);
    let detach = NodeMessage::DetachRequest { key: key(), session };
    assert_eq!(
        question(ConflictPolicy::DetachThenTakeOver(Duration::ZERO)),
        Some(detach)
    );
    let probe = NodeMessage::Probe { key: key(), session };
    assert_eq!(
        question(ConflictPolicy::ProbeThenReject(Duration::ZERO)),
        Some(probe)
    );
}

#[test]
fn a_stored_message_that_is_on_its_way_leaves_the_offline_queue_when_it_is_done() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (alice, bob) = (n1.attach("alice"), n2.attach("bob"));
    n1.send(&alice, "bob", 1, "1");
    let asked = n1.asked();
    let [Asked::Publish(_, _, envelope)] = &asked[..] else {
        panic!("one publish")
    };
    let stored = vec![Bytes::from(envelope.clone())];
    asked.into_iter().for_each(|asked| n1.carry(asked, &n2));
    n2.router
        .on_offline_queue(&key("bob"), bob.session().id(), stored);
    assert!(n2.asked().is_empty(), "not before the socket has it");
    assert_eq!(write(&bob), ["alice #1 1"]);
    assert!(matches!(
        n2.asked()[..],
        [Asked::RemoveStored(1, _), Asked::ReadOfflineQueue]
    ));
}
