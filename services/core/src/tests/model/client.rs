//! A client of the model, as the client libraries behave: it keeps what has no outcome, repeats it after
//! a resume, delivers each message once, and acknowledges. Its socket is two queues that a cut empties.

use std::{
    collections::{BTreeMap, VecDeque},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, task::noop_waker_ref};
use hashbrown::{HashMap, HashSet};
use switchboard_protocol::{
    ErrorCode, Event, MessageId, MessageKind, Mid, NodeMessage, PeerKey, ReceiptStatus, ResumeToken,
    SessionId,
};

use super::mutant::Mutant;
use crate::tests::harness::key;
use crate::{AttachRequest, Attachment, BrokerEvents as _, Outgoing, Router, SendRequest};

/// How long each send may wait for a receiver without a session: longer than a schedule.
const HOLD: Duration = Duration::from_secs(60);

/// The outcome of a send, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed(ErrorCode),
    /// The session ended before the outcome came.
    SessionLost,
}

enum Up {
    Send(u64, usize),
    Ack(u64),
    Refuse(u64),
}

enum Down {
    Message { seq: u64, mid: Mid, payload: Bytes },
    Outcome(u64, Outcome),
    Queued,
    Closed,
}

/// The node's end of the connection; it may outlive the client's by far.
pub(super) struct Connection {
    pub(super) node: usize,
    pub(super) attachment: Option<Attachment>,
    up: VecDeque<Up>,
    down: VecDeque<Down>,
    is_cut: bool,
}

pub(super) struct Client {
    pub(super) key: PeerKey,
    number: usize,
    mutant: Option<Mutant>,
    token: Option<ResumeToken>,
    seen: u64,
    last_id: u64,
    /// Sends without an outcome: the receiver, and whether they were ever transmitted.
    unfinished: BTreeMap<u64, (usize, bool)>,
    delivered: HashSet<Mid>,
    /// The highest id delivered, of each sender's session.
    newest: HashMap<SessionId, u64>,
    /// The newest is the client's own; the others are dead, and their nodes have not noticed.
    pub(super) connections: Vec<Connection>,
    /// Every send: its receiver and its outcomes.
    pub(super) sent: HashMap<(u64, usize), Vec<Outcome>>,
    sessions: usize,
    /// What the application got: sender, the sender's session, id.
    pub(super) received: Vec<(usize, usize, u64)>,
    pub(super) was_queued: usize,
    /// It has no session at first.
    pub(super) is_late: bool,
    /// How long its sends wait for a client that is late; `None`: nobody is.
    hold: Option<Duration>,
}

impl Client {
    pub(super) fn new(number: usize, late: Option<usize>, mutant: Option<Mutant>) -> Self {
        Self {
            key: key(&format!("p{number}")),
            number,
            mutant,
            token: None,
            seen: 0,
            last_id: 0,
            unfinished: BTreeMap::new(),
            delivered: HashSet::new(),
            newest: HashMap::new(),
            connections: Vec::new(),
            sent: HashMap::new(),
            sessions: 0,
            received: Vec::new(),
            was_queued: 0,
            is_late: late == Some(number),
            hold: late.map(|_| HOLD),
        }
    }

    fn own(&mut self) -> Option<&mut Connection> {
        self.connections
            .last_mut()
            .filter(|connection| !connection.is_cut)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connections
            .last()
            .is_some_and(|connection| !connection.is_cut)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// The application sends something to `to`.
    pub(super) fn send(&mut self, to: usize) {
        self.last_id += 1;
        let id = self.last_id;
        self.sent.insert((id, to), Vec::new());
        let connection = self.own();
        let is_transmitted = connection.is_some();
        if let Some(connection) = connection {
            connection.up.push_back(Up::Send(id, to));
        }
        self.unfinished.insert(id, (to, is_transmitted));
    }

    /// Connects to `router`, the node at `node`, resuming if there is something to resume.
    pub(super) fn connect(&mut self, node: usize, router: &std::sync::Arc<Router>) {
        let request = AttachRequest {
            resume: self.token.map(|token| (token, self.seen)),
            acks: true,
            reject: false,
        };
        let Some(Ok(attachment)) = router.attach(&self.key, request).now_or_never() else {
            return;
        };
        if !attachment.is_resumed() {
            // Under another session a repeated send would be another message.
            for (id, (to, _)) in self
                .unfinished
                .extract_if(.., |_, (_, is_transmitted)| *is_transmitted)
            {
                self.sent.entry((id, to)).or_default().push(Outcome::SessionLost);
            }
            self.sessions += 1;
            self.seen = 0;
        }
        self.token = Some(attachment.token());
        let up = self.unfinished.iter_mut().map(|(id, (to, is_transmitted))| {
            *is_transmitted = true;
            Up::Send(*id, *to)
        });
        let up = up.collect();
        self.connections.push(Connection {
            node,
            attachment: Some(attachment),
            up,
            down: VecDeque::new(),
            is_cut: false,
        });
    }

    /// The client loses its connection and knows; its node does not.
    pub(super) fn cut(&mut self) {
        if let Some(connection) = self.own() {
            connection.is_cut = true;
            connection.up.clear();
            connection.down.clear();
        }
    }

    /// The client reads one frame.
    pub(super) fn read(&mut self) {
        let Some(frame) = self.own().and_then(|connection| connection.down.pop_front()) else {
            return;
        };
        match frame {
            Down::Message { seq, mid, payload } => {
                self.seen = seq;
                let MessageId::Client(id) = mid.id else { return };
                let newest = self.newest.entry(mid.session).or_default();
                let is_late = id < *newest && !self.delivered.contains(&mid);
                if is_late && self.mutant != Some(Mutant::NoOrder) {
                    if let Some(connection) = self.own() {
                        connection.up.push_back(Up::Refuse(seq));
                    }
                    return;
                }
                *newest = id.max(*newest);
                if self.delivered.insert(mid) || self.mutant == Some(Mutant::NoDedupe) {
                    let mut parts = std::str::from_utf8(&payload).unwrap().split(' ');
                    let mut part = || parts.next().unwrap().parse::<usize>().unwrap();
                    self.received.push((part(), part(), id));
                }
                if let Some(connection) = self.own() {
                    connection.up.push_back(Up::Ack(seq));
                }
            }
            Down::Outcome(id, word) => {
                if let Some((to, _)) = self.unfinished.remove(&id) {
                    self.sent.entry((id, to)).or_default().push(word);
                }
            }
            Down::Queued => self.was_queued += 1,
            Down::Closed => self.cut(),
        }
    }

    /// The node's end of connection `at` reads one command.
    pub(super) fn node_reads(&mut self, at: usize) {
        let (number, sessions) = (self.number, self.sessions);
        let connection = &mut self.connections[at];
        let Some(attachment) = &connection.attachment else {
            return;
        };
        match connection.up.pop_front() {
            None => {}
            Some(Up::Ack(seq)) => attachment.router().done(attachment.session(), seq),
            Some(Up::Refuse(seq)) => attachment.router().refused(attachment.session(), seq),
            Some(Up::Send(id, to)) => {
                let request = SendRequest {
                    to: key(&format!("p{to}")),
                    kind: MessageKind::Message,
                    payload: Bytes::from(format!("{number} {sessions}")),
                    id: MessageId::Client(id),
                    hold: self.hold,
                };
                attachment.router().send(attachment.session(), request);
            }
        }
    }

    /// The node's end of connection `at` writes one frame.
    pub(super) fn node_writes(&mut self, at: usize) {
        let mutant = self.mutant;
        let connection = &mut self.connections[at];
        let Some(attachment) = &connection.attachment else {
            return;
        };
        let mut cx = Context::from_waker(noop_waker_ref());
        let Poll::Ready(outgoing) = attachment.session().poll_next(&mut cx) else {
            return;
        };
        let frame = match outgoing {
            Outgoing::Delivery(delivery) => {
                if mutant == Some(Mutant::DoneWhenWritten) {
                    attachment.router().done(attachment.session(), delivery.seq);
                }
                Down::Message {
                    seq: delivery.seq,
                    mid: delivery.mid,
                    payload: delivery.payload,
                }
            }
            Outgoing::Delivered(id) => Down::Outcome(id, Outcome::Delivered),
            Outgoing::Event(event) => {
                if let Event::Error {
                    id: Some(id), code, ..
                } = *event
                {
                    Down::Outcome(id, Outcome::Failed(code))
                } else {
                    let is_queued = matches!(
                        *event,
                        Event::Receipt {
                            status: ReceiptStatus::Queued,
                            ..
                        }
                    );
                    assert!(is_queued, "not expected in the model: {event:?}");
                    Down::Queued
                }
            }
            Outgoing::News(event) => unreachable!("not expected in the model: {event:?}"),
            Outgoing::Close(_) => {
                connection.attachment = None;
                Down::Closed
            }
        };
        if !connection.is_cut {
            connection.down.push_back(frame);
        }
    }

    /// The node holding connection `at` notices that it is cut.
    pub(super) fn node_notices(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        if connection.is_cut {
            connection.attachment = None;
        }
    }

    /// The node of `router` detaches this session in order, if it owns it; returns whether it did.
    pub(super) fn detaches_from(&mut self, router: &Router) -> bool {
        let Some(ResumeToken { session, .. }) = self.token else {
            return false;
        };
        let key = self.key.clone();
        let owned = self.connections.iter().position(|connection| {
            let attachment = connection.attachment.as_ref();
            attachment.is_some_and(|attachment| std::ptr::eq(&**attachment.router(), router))
        });
        let Some(at) = owned else { return false };
        let request = NodeMessage::DetachRequest { key, session };
        router.on_node_message(request.encode().into());
        while self.connections[at].attachment.is_some() {
            self.node_writes(at);
        }
        true
    }

    /// Node `node` is killed.
    pub(super) fn lose_node(&mut self, node: usize) {
        if self.own().is_some_and(|connection| connection.node == node) {
            self.cut();
        }
        let lost = self
            .connections
            .iter_mut()
            .filter(|connection| connection.node == node);
        lost.for_each(|connection| connection.attachment = None);
    }
}
