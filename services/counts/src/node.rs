//! The way of an offer through nodes without connections: a frame comes in, the receiver's frame goes out, the sender has its
//! receipt. It calls `core` as `edge` does. Not the socket, WebSocket frames and Redis.

use std::{
    hint::black_box,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, task::noop_waker_ref};
use switchboard_core::{
    AttachRequest, Attachment, BrokerEvents as _, CommandEffect, CommandGate, Limits, Outgoing, Router,
    SendRequest,
};
use switchboard_protocol::{
    Codec as _, DuplicatePolicy, Grant, MessageHead, NodeId, Patterns, PeerKey, Role, codec::native::Native,
};
use switchboard_telemetry::Telemetry;

use crate::{
    bus::{Asked, Bus},
    codec::{frame, payload},
};

/// Messages that one node gives the other at once: a batch of acknowledgements is then full, and no timer has to run.
const BATCH: u64 = 64;

/// Other clients of a node with many.
const OTHERS: u64 = 20_000;

/// No client of a real node sends as fast as this program.
fn limits() -> Limits {
    Limits {
        messages_per_second: u32::MAX,
        message_burst: u32::MAX,
        ..Limits::default()
    }
}

struct Node {
    router: Arc<Router>,
    bus: Arc<Bus>,
}

impl Node {
    #[allow(clippy::expect_used, reason = "the name is a constant")]
    fn new(name: &str) -> Self {
        let id = NodeId::new(name).expect("a name of a node");
        let router = Router::new(id, limits(), Telemetry::new(name));
        let bus = Arc::new(Bus::default());
        router.set_broker(Arc::<Bus>::clone(&bus));
        Self { router, bus }
    }

    /// Brings everything that this node asked of the bus to `other`.
    fn carry_to(&self, other: &Self) {
        for asked in self.bus.take() {
            match asked {
                Asked::Publish(mid, to, envelope) => {
                    other.router.on_message(to.as_str(), envelope.into());
                    self.router.on_published(mid, &to, Ok(1));
                }
                Asked::ToNode(message) => other.router.on_node_message(message.into()),
            }
        }
    }
}

/// A client and what the node has of its connection.
struct Client {
    attachment: Attachment,
    gate: CommandGate,
    limits: Limits,
    out: Vec<u8>,
}

impl Client {
    #[allow(
        clippy::expect_used,
        reason = "the name is a constant, and the bus answers at once"
    )]
    fn attach(node: &Node, name: &str) -> Self {
        let peer = PeerKey::parse(&format!("default/{name}")).expect("a name of a peer");
        let attachment = node.router.attach(&peer, AttachRequest::default());
        let attachment = attachment.now_or_never().expect("the bus answers at once");
        let attachment = attachment.expect("the bus agrees");
        let grant = Grant {
            peer,
            role: Role::Peer,
            send: Patterns::any(),
            rooms: Patterns::any(),
            info: None,
            duplicate: DuplicatePolicy::Replace,
            limits: None,
            region: None,
            expires_at: u64::MAX,
            issued_at: None,
            token_id: None,
        };
        let gate = CommandGate::new(grant, Arc::clone(attachment.session().account()));
        Self {
            attachment,
            gate,
            limits: limits(),
            out: Vec::new(),
        }
    }

    /// A frame that has arrived, as a request to the router.
    #[allow(clippy::panic, reason = "anything else would make the counts wrong")]
    fn decide(&mut self, text: String) -> SendRequest {
        let decoded = Native.decode(&text);
        let effect = self.gate.on_command(decoded, 0, 0, &self.limits);
        let CommandEffect::Send {
            to,
            kind,
            payload,
            id,
            hold,
        } = effect
        else {
            panic!("an offer is a send")
        };
        let start = payload.as_ptr() as usize - text.as_ptr() as usize;
        let place = start..start + payload.len();
        SendRequest {
            to,
            kind,
            payload: Bytes::from(text).slice(place),
            id,
            hold,
        }
    }

    fn send(&mut self, text: String) {
        let request = self.decide(text);
        self.attachment.router().send(self.attachment.session(), request);
    }

    /// Writes everything that waits; returns how many messages and receipts that were.
    #[allow(clippy::panic, reason = "anything else would make the counts wrong")]
    fn write(&mut self) -> u64 {
        let mut cx = Context::from_waker(noop_waker_ref());
        let (mut written_seq, mut count) = (0, 0);
        self.out.clear();
        while let Poll::Ready(outgoing) = self.attachment.session().poll_next(&mut cx) {
            match outgoing {
                Outgoing::Delivery(delivery) => {
                    let head = MessageHead {
                        kind: delivery.kind,
                        from: delivery.from.peer(),
                        room: None,
                        mid: delivery.mid,
                        seq: delivery.seq,
                    };
                    written_seq = delivery.seq;
                    Native.write_message(&mut self.out, &head, &delivery.payload);
                }
                Outgoing::Delivered(id) => Native.write_delivered(&mut self.out, id),
                other @ (Outgoing::Event(_) | Outgoing::News(_) | Outgoing::Close(_)) => {
                    panic!("nothing fails here: {other:?}")
                }
            }
            count += 1;
        }
        black_box(&self.out);
        self.attachment
            .router()
            .done(self.attachment.session(), written_seq);
        count
    }
}

/// A frame is read, and the client's gate decides on it.
pub(crate) fn gate(times: u64) {
    let (node, payload) = (Node::new("n1"), payload());
    let mut alice = Client::attach(&node, "alice");
    for id in 1..=times {
        black_box(alice.decide(frame("bob", id, &payload)));
    }
}

/// One message after the other between two clients of one node, each with its receipt.
pub(crate) fn local(times: u64) {
    converse(&Node::new("n1"), &payload(), times);
}

fn converse(node: &Node, payload: &str, times: u64) {
    let (mut alice, mut bob) = (Client::attach(node, "alice"), Client::attach(node, "bob"));
    for id in 1..=times {
        alice.send(frame("bob", id, payload));
        assert_eq!((bob.write(), alice.write()), (1, 1), "delivered, and reported");
    }
}

/// The same, with many other clients on the node.
pub(crate) fn full(times: u64) {
    let (node, payload) = (Node::new("n1"), payload());
    let others = 0..OTHERS;
    let _others: Vec<_> = others
        .map(|number| Client::attach(&node, &format!("peer-{number}")))
        .collect();
    converse(&node, &payload, times);
}

/// Clients that come and go, one after the other.
pub(crate) fn attach(times: u64) {
    let node = Node::new("n1");
    for _ in 0..times {
        drop(black_box(Client::attach(&node, "alice")));
    }
}

/// Messages between clients of two nodes, in batches: both nodes together.
pub(crate) fn across(times: u64) {
    let (n1, n2, payload) = (Node::new("n1"), Node::new("n2"), payload());
    let (mut alice, mut bob) = (Client::attach(&n1, "alice"), Client::attach(&n2, "bob"));
    for id in 1..=times {
        alice.send(frame("bob", id, &payload));
        if id % BATCH == 0 {
            n1.carry_to(&n2);
            assert_eq!(bob.write(), BATCH, "delivered");
            n2.carry_to(&n1);
            assert_eq!(alice.write(), BATCH, "reported");
        }
    }
}
