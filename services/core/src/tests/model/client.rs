//! A client of the model, as the client libraries behave: it keeps what has no final word, repeats it after
//! a resume, hands each message over once, and acknowledges. Its socket is two queues that a cut empties.

use std::{
    collections::{BTreeMap, VecDeque},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, task::noop_waker_ref};
use hashbrown::{HashMap, HashSet};
use switchboard_protocol::{
    ErrorCode, Event, MessageId, MessageKind, Mid, PeerKey, ReceiptStatus, ResumeToken, SessionId,
};

use super::Mutant;
use crate::{AttachRequest, Attachment, BrokerEvents as _, Outgoing, Router, SendRequest};

/// What became of a send, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Delivered,
    Failed(ErrorCode),
    /// The session ended before the word came.
    SessionLost,
}

enum Up {
    Send(u64, usize),
    Ack(u64),
    Refuse(u64),
}

enum Down {
    Message { seq: u64, mid: Mid, payload: Bytes },
    Word(u64, Word),
    Queued,
    Closed,
}

/// The node's end of the connection; it may outlive the client's by far.
pub(crate) struct Connection {
    pub(crate) node: usize,
    pub(crate) attachment: Option<Attachment>,
    up: VecDeque<Up>,
    down: VecDeque<Down>,
    is_cut: bool,
}

pub(crate) struct Client {
    pub(crate) key: PeerKey,
    number: usize,
    mutant: Option<Mutant>,
    token: Option<ResumeToken>,
    seen: u64,
    last_id: u64,
    /// Sends without a word: to whom, and whether they were ever transmitted.
    unfinished: BTreeMap<u64, (usize, bool)>,
    handed_over: HashSet<Mid>,
    /// The highest id handed over, of each sender's session.
    newest: HashMap<SessionId, u64>,
    /// The newest is the client's own; the others are what nodes have not noticed to be dead.
    pub(crate) connections: Vec<Connection>,
    /// Every send: its receiver and its words.
    pub(crate) sent: HashMap<(u64, usize), Vec<Word>>,
    sessions: usize,
    /// What the application got: sender, the sender's session, id.
    pub(crate) received: Vec<(usize, usize, u64)>,
    pub(crate) was_queued: usize,
}

impl Client {
    pub(crate) fn new(number: usize, mutant: Option<Mutant>) -> Self {
        Self {
            key: super::super::key(&format!("p{number}")),
            number,
            mutant,
            token: None,
            seen: 0,
            last_id: 0,
            unfinished: BTreeMap::new(),
            handed_over: HashSet::new(),
            newest: HashMap::new(),
            connections: Vec::new(),
            sent: HashMap::new(),
            sessions: 0,
            received: Vec::new(),
            was_queued: 0,
        }
    }

    fn own(&mut self) -> Option<&mut Connection> {
        self.connections
            .last_mut()
            .filter(|connection| !connection.is_cut)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connections
            .last()
            .is_some_and(|connection| !connection.is_cut)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// The application sends something to `to`.
    pub(crate) fn send(&mut self, to: usize) {
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
    pub(crate) fn connect(&mut self, node: usize, router: &std::sync::Arc<Router>) {
        let wish = AttachRequest {
            resume: self.token.map(|token| (token, self.seen)),
            acks: true,
            reject: false,
        };
        let Some(Ok(attachment)) = router.attach(&self.key, wish).now_or_never() else {
            return;
        };
        if !attachment.is_resumed() {
            // Under another session a repeated send would be another message.
            for (id, (to, _)) in self
                .unfinished
                .extract_if(.., |_, (_, is_transmitted)| *is_transmitted)
            {
                self.sent.entry((id, to)).or_default().push(Word::SessionLost);
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
    pub(crate) fn cut(&mut self) {
        if let Some(connection) = self.own() {
            connection.is_cut = true;
            connection.up.clear();
            connection.down.clear();
        }
    }

    /// The client reads one frame.
    pub(crate) fn read(&mut self) {
        let Some(frame) = self.own().and_then(|connection| connection.down.pop_front()) else {
            return;
        };
        match frame {
            Down::Message { seq, mid, payload } => {
                self.seen = seq;
                let MessageId::Client(id) = mid.id else { return };
                let newest = self.newest.entry(mid.session).or_default();
                let is_late = id < *newest && !self.handed_over.contains(&mid);
                if is_late && self.mutant != Some(Mutant::NoOrder) {
                    if let Some(connection) = self.own() {
                        connection.up.push_back(Up::Refuse(seq));
                    }
                    return;
                }
                *newest = id.max(*newest);
                if self.handed_over.insert(mid) || self.mutant == Some(Mutant::NoDedupe) {
                    let mut parts = std::str::from_utf8(&payload).unwrap().split(' ');
                    let mut part = || parts.next().unwrap().parse::<usize>().unwrap();
                    self.received.push((part(), part(), id));
                }
                if let Some(connection) = self.own() {
                    connection.up.push_back(Up::Ack(seq));
                }
            }
            Down::Word(id, word) => {
                if let Some((to, _)) = self.unfinished.remove(&id) {
                    self.sent.entry((id, to)).or_default().push(word);
                }
            }
            Down::Queued => self.was_queued += 1,
            Down::Closed => self.cut(),
        }
    }

    /// The node's end of connection `at` reads one command.
    pub(crate) fn node_reads(&mut self, at: usize) {
        let (number, sessions) = (self.number, self.sessions);
        let connection = &mut self.connections[at];
        let Some(attachment) = &connection.attachment else {
            return;
        };
        match connection.up.pop_front() {
            None => {}
            Some(Up::Ack(seq)) => attachment.router().done(attachment.peer(), seq),
            Some(Up::Refuse(seq)) => attachment.router().refused(attachment.peer(), seq),
            Some(Up::Send(id, to)) => {
                let request = SendRequest {
                    to: super::super::key(&format!("p{to}")),
                    kind: MessageKind::Message,
                    payload: Bytes::from(format!("{number} {sessions}")),
                    id: MessageId::Client(id),
                };
                attachment.router().send(attachment.peer(), request);
            }
        }
    }

    /// The node's end of connection `at` writes one frame.
    pub(crate) fn node_writes(&mut self, at: usize) {
        let mutant = self.mutant;
        let connection = &mut self.connections[at];
        let Some(attachment) = &connection.attachment else {
            return;
        };
        let mut cx = Context::from_waker(noop_waker_ref());
        let Poll::Ready(outgoing) = attachment.peer().poll_next(&mut cx) else {
            return;
        };
        let frame = match outgoing {
            Outgoing::Delivery(forward) => {
                if mutant == Some(Mutant::DoneWhenWritten) {
                    attachment.router().done(attachment.peer(), forward.seq);
                }
                Down::Message {
                    seq: forward.seq,
                    mid: forward.mid,
                    payload: forward.payload,
                }
            }
            Outgoing::Delivered(id) => Down::Word(id, Word::Delivered),
            Outgoing::Event(event) => {
                if let Event::Error {
                    id: Some(id), code, ..
                } = *event
                {
                    Down::Word(id, Word::Failed(code))
                } else {
                    let is_queued = matches!(
                        *event,
                        Event::Receipt {
                            status: ReceiptStatus::Queued,
                            ..
                        }
                    );
                    assert!(is_queued, "not said in the model: {event:?}");
                    Down::Queued
                }
            }
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
    pub(crate) fn node_notices(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        if connection.is_cut {
            connection.attachment = None;
        }
    }

    /// The node asked for this session lets it go in order, if it holds it.
    pub(crate) fn yields(&mut self, router: &Router) -> Option<usize> {
        let session = self.token?.session;
        let key = self.key.clone();
        let held = self.connections.iter().position(|connection| {
            let attachment = connection.attachment.as_ref();
            attachment.is_some_and(|attachment| std::ptr::eq(&**attachment.router(), router))
        })?;
        router.on_node_message(
            switchboard_protocol::NodeMessage::DetachRequest { key, session }
                .encode()
                .into(),
        );
        while self.connections[held].attachment.is_some() {
            self.node_writes(held);
        }
        Some(held)
    }
}
