//! The router's promises, tested on two routers joined by hand: every envelope and acknowledgement passes
//! through the test, which may lose, repeat or reorder it. No clock is waited for; moments are arguments.

mod candidates;
mod faults;
mod model;
mod rebalance;
mod sessions;
mod way;

use std::{sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture, task::noop_waker_ref};
use parking_lot::Mutex;
use switchboard_protocol::{ErrorCode, Event, MessageId, MessageKind, Mid, NodeId, PeerKey, SessionId};
use switchboard_telemetry::Telemetry;

use crate::{
    AttachRequest, Attachment, Broker, BrokerError, BrokerEvents as _, BusState, BusStatus, Claim,
    ClaimOutcome, ClusterLoad, Limits, Outgoing, Presence, Retention, Router, SendRequest, Session,
    StoreOutcome, StoredMessage,
};

/// What a node asked of the bus.
#[derive(Debug, Clone)]
enum Asked {
    Publish(Mid, PeerKey, Vec<u8>),
    Locate(Mid, PeerKey),
    ToNode(NodeId, Vec<u8>),
    Leave(StoredMessage),
    MailDone(usize),
    Detach(Option<Retention>),
}

/// A bus that does nothing by itself.
#[derive(Default)]
struct ByHand {
    asked: Mutex<Vec<Asked>>,
    /// What the next attach finds.
    record: Mutex<Option<ClaimOutcome>>,
    is_down: Mutex<bool>,
}

impl ByHand {
    fn ask(&self, asked: Asked) -> Result<(), BrokerError> {
        if *self.is_down.lock() {
            return Err(BrokerError::Unavailable);
        }
        self.asked.lock().push(asked);
        Ok(())
    }
}

impl Broker for ByHand {
    fn attach<'a>(
        &'a self,
        _: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        let record = self.record.lock().take();
        let outcome = match record {
            None if claim.resume => Err(BrokerError::NotResumable),
            None => Ok(ClaimOutcome::default()),
            Some(record) => Ok(record),
        };
        std::future::ready(outcome).boxed()
    }
    fn detach(&self, _: &PeerKey, _: SessionId, _: u64, keep: Option<Retention>) {
        let _ = self.ask(Asked::Detach(keep));
    }
    fn store(&self, letter: StoredMessage) -> Result<(), BrokerError> {
        self.ask(Asked::Leave(letter))
    }
    fn touch(&self, _: &PeerKey, _: SessionId) {}
    fn read_offline_queue(&self, _: &PeerKey, _: SessionId) {}
    fn remove_stored(&self, _: &PeerKey, _: SessionId, letters: usize, _: usize) {
        let _ = self.ask(Asked::MailDone(letters));
    }
    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Asked::Publish(mid, to.clone(), envelope))
    }
    fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError> {
        self.ask(Asked::Locate(mid, to.clone()))
    }
    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError> {
        self.ask(Asked::ToNode(node.clone(), message))
    }
    fn cluster_load(&self, _: Option<usize>) -> Option<ClusterLoad> {
        None
    }
    fn status(&self) -> BusStatus {
        BusStatus {
            state: BusState::Up,
            desired: 0,
            confirmed: 0,
            detail: String::new(),
        }
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

/// One node and its bus.
struct Node {
    router: Arc<Router>,
    bus: Arc<ByHand>,
}

impl Node {
    fn new(name: &str) -> Self {
        Self::with_limits(name, Limits::default())
    }

    fn with_limits(name: &str, limits: Limits) -> Self {
        let router = Router::new(NodeId::new(name).unwrap(), limits, Telemetry::new(name));
        let bus = Arc::new(ByHand::default());
        router.join(Arc::<ByHand>::clone(&bus));
        Self { router, bus }
    }

    fn attach(&self, name: &str) -> Attachment {
        self.attach_as(name, AttachRequest::default())
    }

    fn attach_as(&self, name: &str, wish: AttachRequest) -> Attachment {
        self.router
            .attach(&key(name), wish)
            .now_or_never()
            .expect("the bus by hand answers at once")
            .unwrap()
    }

    fn send(&self, from: &Attachment, to: &str, id: u64, payload: &'static str) {
        let payload = Bytes::from_static(payload.as_bytes());
        let request = SendRequest {
            to: key(to),
            kind: MessageKind::Offer,
            payload,
            id: MessageId::Client(id),
        };
        self.router.send(from.peer(), request);
    }

    /// The next attach displaces `previous`.
    fn finds_holder(&self, previous: crate::PreviousOwner) {
        *self.bus.record.lock() = Some(ClaimOutcome {
            previous: Some(previous),
            ..ClaimOutcome::default()
        });
    }

    /// What this node asked of its bus since the last call.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.bus.asked.lock())
    }

    /// Carries publishes to `other`, as a bus that counts one subscriber; returns how many.
    fn carry_to(&self, other: &Self) -> usize {
        let asked = self.asked();
        let count = asked.len();
        for asked in asked {
            self.carry(asked, other);
        }
        count
    }

    fn carry(&self, asked: Asked, other: &Self) {
        match asked {
            Asked::Publish(mid, to, envelope) => {
                other.router.on_message(to.as_str(), envelope.into());
                self.router.on_published(mid, &to, Ok(1));
            }
            Asked::Locate(mid, to) => self.router.on_located(mid, &to, Ok(Presence::Offline)),
            Asked::ToNode(node, message) => {
                assert_eq!(&node, other.router.node(), "carried to where it was addressed");
                other.router.on_node_message(message.into());
            }
            Asked::Leave(letter) => self
                .router
                .on_stored(letter.mid, &letter.to, Ok(StoreOutcome::Offline)),
            Asked::MailDone(_) | Asked::Detach(_) => {}
        }
    }

    /// Sends the gathered acknowledgements, as the timer would.
    fn flush_acks(&self) {
        self.router.acks.flush(self.bus.as_ref(), &self.router.telemetry);
    }
}

fn key(name: &str) -> PeerKey {
    PeerKey::parse(&format!("default/{name}")).unwrap()
}

/// Takes everything that waits for `of`'s socket, without saying that it was written.
fn take(of: &Attachment) -> Vec<Outgoing> {
    let mut cx = std::task::Context::from_waker(noop_waker_ref());
    let mut taken = Vec::new();
    while let Poll::Ready(outgoing) = of.peer().poll_next(&mut cx) {
        let is_last = matches!(outgoing, Outgoing::Close(_));
        taken.push(outgoing);
        if is_last {
            break;
        }
    }
    taken
}

/// Takes everything that waits for `of`'s socket and says that it was written; returns it as text.
fn write(of: &Attachment) -> Vec<String> {
    take(of)
        .iter()
        .map(|outgoing| said(of.peer(), of.router(), outgoing))
        .collect()
}

fn said(peer: &Session, router: &Router, outgoing: &Outgoing) -> String {
    match outgoing {
        Outgoing::Delivery(forward) => {
            router.done(peer, forward.seq);
            format!(
                "{} #{} {}",
                forward.from.peer(),
                forward.seq,
                String::from_utf8_lossy(&forward.payload)
            )
        }
        Outgoing::Delivered(id) => format!("{id} delivered"),
        Outgoing::Event(event) => {
            let Event::Error { id, code, .. } = event.as_ref() else {
                return event.to_json();
            };
            format!("{} {code}", id.map_or("-".into(), |id| id.to_string()))
        }
        Outgoing::Close(code) => format!("close {}", code.code()),
    }
}

fn error(id: u64, code: ErrorCode) -> Vec<String> {
    vec![format!("{id} {code}")]
}
