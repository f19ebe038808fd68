//! What an observer hears, and that a router without one does the same.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use switchboard_protocol::{LeaveReason, SessionId};

use super::harness::*;
use crate::{
    AttachRequest, BrokerEvents as _, ClaimOutcome, Limits, NodeEvent, Observer, OnDisconnect, PreviousOwner,
    StoreOutcome,
};

/// Keeps what it hears as text; sessions are numbered as they appear.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<String>>,
    sessions: Mutex<Vec<SessionId>>,
}

impl Recorder {
    fn on(node: &Node) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        node.router.set_observer(Arc::<Self>::clone(&recorder));
        recorder
    }

    fn number(&self, session: SessionId) -> usize {
        let mut sessions = self.sessions.lock();
        let known = sessions.iter().position(|known| *known == session);
        known.unwrap_or_else(|| {
            sessions.push(session);
            sessions.len() - 1
        })
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock())
    }
}

impl Observer for Recorder {
    fn on_event(&self, event: &NodeEvent<'_>) {
        let text = match event {
            NodeEvent::Attached {
                peer,
                session,
                resumed,
                ..
            } => {
                let how = if *resumed { "resumed" } else { "attached" };
                format!("{peer} {how} {}", self.number(*session))
            }
            NodeEvent::Detached { peer, session, .. } => format!("{peer} detached {}", self.number(*session)),
            NodeEvent::Ended { peer, session } => format!("{peer} ended {}", self.number(*session)),
            NodeEvent::Wanted { peer, by } => format!("{peer} wanted by {by}"),
            NodeEvent::RoomCreated { room } => format!("{room} created"),
            NodeEvent::RoomJoined { room, peer } => format!("{room} joined by {peer}"),
            NodeEvent::RoomLeft { room, peer, reason } => format!("{room} {} by {peer}", reason.as_str()),
            NodeEvent::RoomEnded { room } => format!("{room} ended"),
        };
        self.events.lock().push(text);
    }
}

fn node() -> (Node, Arc<Recorder>) {
    let node = Node::new("n1");
    let recorder = Recorder::on(&node);
    (node, recorder)
}

#[test]
fn a_session_attaches_detaches_and_is_resumed() {
    let (node, observer) = node();
    let bob = node.attach("bob");
    assert_eq!(observer.events(), ["default/bob attached 0"]);
    let again = AttachRequest {
        resume: Some((bob.token(), 0)),
        ..AttachRequest::default()
    };
    drop(bob);
    assert_eq!(observer.events(), ["default/bob detached 0"]);
    *node.bus.record.lock() = Some(ClaimOutcome::default());
    let _bob = node.attach_as("bob", again);
    assert_eq!(observer.events(), ["default/bob resumed 0"]);
}

#[test]
fn a_session_ends_when_its_client_says_good_bye_or_nothing_can_be_resumed() {
    let (first, observer) = node();
    let mut bob = first.attach("bob");
    bob.on_disconnect(OnDisconnect::End, LeaveReason::Left);
    drop(bob);
    assert_eq!(
        observer.events(),
        ["default/bob attached 0", "default/bob ended 0"]
    );
    let limits = Limits {
        resume_window: Duration::ZERO,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let observer = Recorder::on(&node);
    drop(node.attach("bob"));
    assert_eq!(
        observer.events(),
        ["default/bob attached 0", "default/bob ended 0"]
    );
}

#[test]
fn a_replaced_session_ends() {
    let (node, observer) = node();
    let old = node.attach("bob");
    let _new = node.attach("bob");
    drop(old);
    let events = ["attached 0", "attached 1", "ended 0"].map(|event| format!("default/bob {event}"));
    assert_eq!(observer.events(), events);
}

#[test]
fn a_connection_whose_session_continues_on_a_newer_one_ends_nothing() {
    let (node, observer) = node();
    let old = node.attach("bob");
    node.finds_owner(PreviousOwner {
        node: node.router.node().clone(),
        session: old.session().id(),
    });
    let again = AttachRequest {
        resume: Some((old.token(), 0)),
        ..AttachRequest::default()
    };
    let _bob = node.attach_as("bob", again);
    drop(old);
    assert_eq!(
        observer.events(),
        ["default/bob attached 0", "default/bob resumed 0"]
    );
}

#[test]
fn an_absent_peer_is_wanted_once_and_only_if_it_is_to_be_woken() {
    let (node, observer) = node();
    let alice = node.attach("alice");
    node.send(&alice, "bob", 1, "1");
    let (mid, to) = node.published();
    let queued = || Ok(queued_for(Duration::from_secs(60)));
    node.router.on_stored(mid, &to, queued());
    node.router.on_stored(mid, &to, queued());
    node.send(&alice, "bob", 2, "2");
    let (mid, to) = node.published();
    let quietly = StoreOutcome::Queued {
        kept_for: Duration::from_secs(60),
        wakes: false,
    };
    node.router.on_stored(mid, &to, Ok(quietly));
    assert_eq!(
        observer.events(),
        ["default/alice attached 0", "default/bob wanted by default/alice"]
    );
}

#[test]
fn only_the_first_observer_counts() {
    let (node, observer) = node();
    let second = Recorder::on(&node);
    let _bob = node.attach("bob");
    assert_eq!((observer.events().len(), second.events().len()), (1, 0));
}
