//! A sender needs no connection: a part of the node sends, and hears the outcome of each send.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_protocol::{ErrorCode, MessageId, MessageKind, PeerKey, SendOutcome, SessionId};

use super::harness::*;
use crate::{BrokerEvents as _, Limits, OutboxSlot, SendRequest, Sender, StoreOutcome};

/// What a sender received.
#[derive(Debug, PartialEq, Eq)]
enum Received {
    Outcome(u64, SendOutcome),
    Queued(u64),
    Failed(ErrorCode),
}

/// Sends on behalf of an application's backend.
#[derive(Debug)]
struct Backend {
    key: PeerKey,
    outbox: OutboxSlot,
    events: Mutex<Vec<Received>>,
}

impl Backend {
    fn on(node: &Node) -> Arc<Self> {
        let backend = Arc::new(Self {
            key: key("@backend"),
            outbox: OutboxSlot::default(),
            events: Mutex::default(),
        });
        node.router.add_sender(Arc::<Self>::clone(&backend));
        backend
    }

    fn events(&self) -> Vec<Received> {
        std::mem::take(&mut self.events.lock())
    }
}

impl Sender for Backend {
    fn id(&self) -> SessionId {
        SessionId::from_bytes([7; 12])
    }

    fn key(&self) -> &PeerKey {
        &self.key
    }

    fn outbox(&self) -> &OutboxSlot {
        &self.outbox
    }

    fn on_outcome(&self, id: u64, outcome: SendOutcome) {
        self.events.lock().push(Received::Outcome(id, outcome));
    }

    fn on_queued(&self, id: u64) {
        self.events.lock().push(Received::Queued(id));
    }

    fn on_failed(&self, code: ErrorCode) {
        self.events.lock().push(Received::Failed(code));
    }
}

fn delivered(id: u64) -> Received {
    Received::Outcome(id, SendOutcome::Delivered)
}

fn failed(id: u64, code: ErrorCode) -> Received {
    Received::Outcome(id, SendOutcome::Error(code))
}

#[test]
fn a_backend_hears_that_a_peer_on_its_node_has_the_message() {
    let node = Node::new("n1");
    let (backend, bob) = (Backend::on(&node), node.attach("bob"));
    node.router.send(&backend, offer("bob", 1, "1"));
    assert_eq!(backend.events(), [], "not before bob's socket has it");
    assert!(!backend.is_gone(), "a backend does not go by itself");
    assert_eq!(write(&bob), ["@backend #1 1"]);
    assert_eq!(backend.events(), [delivered(1)]);
}

#[test]
fn a_backend_hears_that_a_peer_on_another_node_has_the_message() {
    let (n1, n2) = (Node::new("n1"), Node::new("n2"));
    let (backend, bob) = (Backend::on(&n1), n2.attach("bob"));
    n1.router.send(&backend, offer("bob", 1, "1"));
    n1.carry_to(&n2);
    assert_eq!(write(&bob), ["@backend #1 1"]);
    n2.flush_acks();
    n2.carry_to(&n1);
    assert_eq!(backend.events(), [delivered(1)]);
}

#[test]
fn a_backend_hears_that_its_message_is_queued_and_that_it_expires() {
    let node = Node::new("n1");
    let backend = Backend::on(&node);
    node.router.send(&backend, offer("bob", 1, "1"));
    let (mid, to) = node.published();
    let kept_for = Duration::from_secs(60);
    node.router.on_stored(mid, &to, Ok(queued_for(kept_for)));
    assert_eq!(backend.events(), [Received::Queued(1)]);
    node.router.on_stored(mid, &to, Ok(StoreOutcome::Offline));
    assert_eq!(backend.events(), [failed(1, ErrorCode::Expired)]);
}

#[test]
fn the_timer_transmits_a_backends_message_again_and_ends_it_at_its_deadline() {
    let node = Node::new("n1");
    let backend = Backend::on(&node);
    node.router.send(&backend, offer("bob", 1, "1"));
    assert_eq!(node.asked().len(), 1, "… and lost");
    let at = |after| std::time::Instant::now() + after;
    let side = node.router.sender_side();
    side.retry_stream(&*backend, &key("bob"), at(Duration::from_secs(1)));
    assert_eq!(node.asked().len(), 1, "once more");
    side.retry_stream(&*backend, &key("bob"), at(Limits::default().send_deadline * 2));
    assert_eq!(backend.events(), [failed(1, ErrorCode::Timeout)]);
}

#[tokio::test]
async fn the_routers_own_timers_serve_a_backend() {
    let node = Node::new("n1");
    let backend = Backend::on(&node);
    node.router.send(&backend, offer("bob", 1, "1"));
    assert_eq!(node.asked().len(), 1);
    let run = tokio::time::timeout(Duration::from_millis(400), node.router.run());
    assert!(run.await.is_err(), "it never completes");
    assert!(!node.asked().is_empty(), "transmitted again");
}

#[test]
fn a_backend_hears_that_a_message_without_an_id_failed() {
    let node = Node::new("n1");
    let backend = Backend::on(&node);
    let request = || SendRequest {
        to: key("bob"),
        kind: MessageKind::Message,
        payload: Bytes::from_static(b"1"),
        id: MessageId::Node(1),
        hold: None,
    };
    node.router.send(&backend, request());
    let (mid, to) = node.published();
    node.router.on_published(mid, &to, Ok(0));
    node.carry_to(&node);
    assert_eq!(backend.events(), [Received::Failed(ErrorCode::PeerOffline)]);
    *node.bus.is_down.lock() = true;
    node.router.send(&backend, request());
    assert_eq!(backend.events(), [Received::Failed(ErrorCode::BusUnavailable)]);
}

#[test]
fn a_removed_backend_hears_nothing_more() {
    let node = Node::new("n1");
    let (backend, bob) = (Backend::on(&node), node.attach("bob"));
    node.router.send(&backend, offer("bob", 1, "1"));
    node.router.remove_sender(backend.id());
    assert_eq!(write(&bob), ["@backend #1 1"]);
    assert_eq!(backend.events(), []);
}
