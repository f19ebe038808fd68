//! Revoked tokens end connections and are refused from then on, and a kicked peer has no session left.

use futures_util::FutureExt as _;
use switchboard_protocol::{
    CloseCode, DuplicatePolicy, Grant, NodeMessage, Patterns, Revocation, RevocationStatus, Role,
};

use super::harness::{Asked, Node, key, take};
use crate::{
    Attachment, BrokerError, BrokerEvents as _, EndedSession, Limits, Outgoing, RevocationChange, RevokeError,
};

const NOW_S: u64 = 1_000;
const LATER_S: u64 = 2_000;

fn grant(peer: &str, id: Option<&str>, issued_at: Option<u64>) -> Grant {
    Grant {
        peer: key(peer),
        role: Role::Peer,
        send: Patterns::any(),
        rooms: Patterns::any(),
        info: None,
        duplicate: DuplicatePolicy::Replace,
        limits: None,
        region: None,
        expires_at: LATER_S,
        issued_at,
        token_id: id.map(Into::into),
    }
}

fn revocation(text: &str) -> Revocation {
    Revocation::parse(text, LATER_S).unwrap()
}

/// A node that knows all revocations: none.
fn node() -> Node {
    let node = Node::new("n1");
    assert!(node.router.on_revocations_read(Vec::new(), NOW_S).is_empty());
    node
}

fn connect(node: &Node, grant: &Grant) -> Attachment {
    let attachment = node.attach(grant.peer.peer());
    let status = node.router.note_token(attachment.session(), grant, NOW_S);
    assert_eq!(status, RevocationStatus::Valid);
    attachment
}

fn closed_with(attachment: &Attachment) -> Option<CloseCode> {
    take(attachment).into_iter().find_map(|outgoing| match outgoing {
        Outgoing::Close(code) => Some(code),
        Outgoing::Event(_) | Outgoing::News(_) | Outgoing::Delivery(_) | Outgoing::Delivered(_) => None,
    })
}

#[test]
fn a_revoked_jti_closes_its_connection_and_no_other_and_is_refused_until_it_ends() {
    let node = node();
    let (alice, bob) = (grant("alice", Some("a"), None), grant("bob", Some("b"), None));
    let (of_alice, of_bob) = (connect(&node, &alice), connect(&node, &bob));
    node.router.on_revoked(vec![revocation("t default/a")], NOW_S);
    assert_eq!(closed_with(&of_alice), Some(CloseCode::TokenEnded));
    assert_eq!(closed_with(&of_bob), None);
    let status = |grant, now_s| node.router.revocations().status(grant, now_s);
    assert_eq!(status(&alice, NOW_S), RevocationStatus::Revoked);
    assert_eq!(status(&alice, LATER_S), RevocationStatus::Valid);
    assert_eq!(status(&bob, NOW_S), RevocationStatus::Valid);
}

#[test]
fn tokens_of_a_peer_are_revoked_by_their_time_and_those_without_one_always() {
    let node = node();
    let attachment = connect(&node, &grant("alice", None, Some(99)));
    node.router
        .on_revoked(vec![revocation("p default/alice 99")], NOW_S);
    assert_eq!(
        closed_with(&attachment),
        None,
        "issued at that moment is not before it"
    );
    node.router
        .on_revoked(vec![revocation("p default/alice 100")], NOW_S);
    assert_eq!(closed_with(&attachment), Some(CloseCode::TokenEnded));
    for (issued_at, expected) in [
        (Some(99), RevocationStatus::Revoked),
        (Some(100), RevocationStatus::Valid),
        (None, RevocationStatus::Revoked),
    ] {
        let status = node
            .router
            .revocations()
            .status(&grant("alice", None, issued_at), NOW_S);
        assert_eq!(status, expected, "{issued_at:?}");
    }
}

#[test]
fn a_revocation_of_one_tenant_means_nothing_in_another() {
    let node = node();
    let attachment = connect(&node, &grant("alice", Some("a"), Some(1)));
    let others = vec![revocation("t acme/a"), revocation("p acme/alice 100")];
    node.router.on_revoked(others, NOW_S);
    assert_eq!(closed_with(&attachment), None);
}

#[test]
fn a_newer_token_takes_the_place_of_the_one_that_is_revoked() {
    let node = node();
    let attachment = connect(&node, &grant("alice", Some("old"), None));
    let newer = grant("alice", Some("new"), None);
    let _ = node.router.note_token(attachment.session(), &newer, NOW_S);
    node.router.on_revoked(vec![revocation("t default/old")], NOW_S);
    assert_eq!(closed_with(&attachment), None);
    node.router.on_revoked(vec![revocation("t default/new")], NOW_S);
    assert_eq!(closed_with(&attachment), Some(CloseCode::TokenEnded));
}

#[test]
fn no_token_is_known_to_be_valid_before_the_revocations_were_read() {
    let node = Node::new("n1");
    let (alice, bob) = (grant("alice", Some("a"), None), grant("bob", None, None));
    let status = |grant| node.router.revocations().status(grant, NOW_S);
    assert_eq!(status(&bob), RevocationStatus::Unknown);
    // The answer to the reading is still under way.
    node.router.on_revoked(vec![revocation("t default/a")], NOW_S);
    node.router.on_revocations_read(Vec::new(), NOW_S);
    assert_eq!(
        (status(&alice), status(&bob)),
        (RevocationStatus::Revoked, RevocationStatus::Valid)
    );
}

#[test]
fn what_the_broker_has_lost_is_named_and_what_has_ended_is_not() {
    let node = node();
    let (kept, lost) = (revocation("t default/kept"), revocation("p default/lost 9"));
    node.router.on_revoked(vec![kept.clone(), lost.clone()], NOW_S);
    assert_eq!(node.router.on_revocations_read(vec![kept.clone()], NOW_S), [lost]);
    assert!(node.router.on_revocations_read(vec![kept], LATER_S).is_empty());
}

#[test]
fn a_tenant_has_a_bounded_number_of_revocations_and_room_again_when_they_have_ended() {
    let limits = Limits {
        revocations_per_tenant: 2,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let revoke = |text: &str, now_s| {
        let until_s = now_s + 100;
        let revocation = Revocation::parse(text, until_s).unwrap();
        node.router.revoke(&revocation, now_s).now_or_never().unwrap()
    };
    assert_eq!(revoke("t default/0", NOW_S), Err(RevokeError::Unknown));
    node.router.on_revocations_read(Vec::new(), NOW_S);
    assert_eq!(revoke("t default/1", NOW_S), Ok(()));
    assert_eq!(revoke("p default/alice 5", NOW_S), Ok(()));
    assert_eq!(revoke("t default/2", NOW_S), Err(RevokeError::Full { max: 2 }));
    assert_eq!(revoke("t acme/2", NOW_S), Ok(()), "another tenant has its own");
    assert_eq!(
        revoke("p default/alice 9", NOW_S),
        Ok(()),
        "it replaces the first one"
    );
    let asked = node.asked();
    let Some(Asked::Revoke(RevocationChange { replaces, .. })) = asked.last() else {
        panic!("not a revocation: {asked:?}");
    };
    assert_eq!(
        replaces.as_ref().map(Revocation::text),
        Some("p default/alice 5".to_owned())
    );
    assert_eq!(revoke("t default/1", NOW_S), Ok(()));
    assert!(node.asked().is_empty(), "nothing changes");
    assert_eq!(revoke("t default/2", NOW_S + 100), Ok(()));
    *node.bus.is_down.lock() = true;
    let refused = revoke("t acme/3", NOW_S);
    assert_eq!(refused, Err(RevokeError::Broker(BrokerError::Unavailable)));
}

#[test]
fn a_kicked_peer_is_closed_here_and_asked_for_on_the_bus() {
    let node = node();
    let alice = node.attach("alice");
    let kick = |peer: &str| node.router.kick(&key(peer)).now_or_never().unwrap();
    assert_eq!(kick("alice"), Ok(true));
    assert_eq!(closed_with(&alice), Some(CloseCode::Kicked));
    assert_eq!(kick("nobody"), Ok(false));
    *node.bus.ended_session.lock() = Some(EndedSession::Detached {
        session: alice.session().id(),
        rooms: Vec::new(),
    });
    assert_eq!(kick("away"), Ok(true));
    *node.bus.is_down.lock() = true;
    assert_eq!(kick("nobody"), Err(BrokerError::Unavailable));
}

#[test]
fn a_node_closes_the_session_that_another_node_kicks_and_no_later_one() {
    let node = node();
    let (alice, bob) = (node.attach("alice"), node.attach("bob"));
    let say = |peer: &str, session| {
        let message = NodeMessage::Kick {
            key: key(peer),
            session,
        };
        node.router.on_node_message(message.encode().into());
    };
    say("alice", alice.session().id());
    say("bob", alice.session().id());
    assert_eq!(closed_with(&alice), Some(CloseCode::Kicked));
    assert_eq!(closed_with(&bob), None);
}
