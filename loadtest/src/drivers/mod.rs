//! Servers of different kinds behind one trait, so that the same workload, oracle and statistics serve all. A
//! driver speaks its server's protocol and nothing more: it does not check or measure.

pub(crate) mod peerjs;
pub(crate) mod redis;
pub(crate) mod relay;
pub(crate) mod socketio;
pub(crate) mod spreed;
pub(crate) mod switchboard;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod websocket;

use std::{fmt, future::Future, net::IpAddr, time::Duration};

use serde_json::value::RawValue;
use switchboard_client::RoomEvent;
use switchboard_protocol::MessageKind;

/// What the oracle may hold a server to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promises {
    /// Each send gets an outcome: delivered, or an error.
    pub outcomes: bool,
    /// The receiver learns who sent, from the server.
    pub names_sender: bool,
    /// A lost connection comes back by itself and goes on.
    pub resumes: bool,
}

impl Promises {
    /// Of servers that relay, say who sent, and promise nothing.
    pub(crate) const RELAYS: Self = Self {
        outcomes: false,
        names_sender: true,
        resumes: false,
    };
}

/// Who connects, and where from and to.
#[derive(Debug, Clone)]
pub struct Who {
    /// The peer ID, unique in the run.
    pub peer: String,
    /// Which of the target's addresses; the driver takes it modulo their number.
    pub node: usize,
    /// The source address, where there must be many.
    pub source: Option<IpAddr>,
}

impl Who {
    /// Its node's address.
    pub(crate) fn pick<'a>(&self, urls: &'a [String]) -> Result<&'a str, Refusal> {
        let url = urls.get(self.node % urls.len().max(1));
        url.map(String::as_str)
            .ok_or_else(|| Refusal("no such node".into()))
    }
}

/// What a successful connect gives.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The address that others send to; the peer ID, unless the server gives out names of its own.
    pub address: String,
    /// The node, as the server names it; `None` if it does not say.
    pub node: Option<String>,
    /// TCP connected, after so long.
    pub connect: Duration,
    /// From then (TLS, the upgrade request) to the server's welcome.
    pub authenticate: Duration,
}

/// Why a connect failed. The text is short and holds no names that clients choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The outcome of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It failed; a short text for example the error's code.
    Failed(String),
}

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent {
    /// Another peer's message.
    Message {
        /// Its sender, if the server says so.
        from: Option<String>,
        /// The payload, as it was sent.
        payload: Box<RawValue>,
    },
    /// The outcome of one of its sends.
    Outcome {
        /// What [`Link::send`] returned.
        id: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// Something happened in a room.
    Room(RoomEvent),
    /// A message of a member of a room.
    RoomMessage {
        /// The room.
        room: String,
        /// Its sender.
        from: String,
        /// The payload, as it was sent.
        payload: Box<RawValue>,
    },
    /// A join or leave failed.
    Refused {
        /// What [`RoomLink::join`] or [`RoomLink::leave`] returned.
        id: u64,
        /// A short text for example the error's code.
        reason: String,
    },
    /// The connection is lost; the link reconnects.
    Disconnected(String),
    /// There is a connection again.
    Reconnected {
        /// To this node, if the server says so.
        node: Option<String>,
        /// Whether the session went on.
        resumed: bool,
        /// Whether the server says that something is missing.
        gap: bool,
    },
    /// The connection is over; no event follows.
    Ended(String),
}

/// The message was not sent: the connection is over, or too much is unsent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// A connected peer.
pub trait Link: Send + 'static {
    /// Sends; the returned number, counted up from 1, stands in the outcome. It may wait while too much is unsent, but
    /// never for an answer.
    fn send(
        &mut self,
        kind: MessageKind,
        to: &str,
        payload: &RawValue,
    ) -> impl Future<Output = Result<u64, Broken>> + Send;

    /// The next event. Nothing is lost when the future is dropped; after [`LinkEvent::Ended`] it never resolves.
    fn next(&mut self) -> impl Future<Output = LinkEvent> + Send;

    /// Leaves in good order, within a few seconds. Dropping the link instead is a lost connection to the server.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A connected peer of servers with rooms. Ids are those of [`Link::send`]: one count for all of a link's requests.
pub trait RoomLink: Link {
    /// Asks to be a member of a room. [`LinkEvent::Room`] or [`LinkEvent::Refused`] follows with the returned number.
    fn join(&mut self, room: &str) -> impl Future<Output = Result<u64, Broken>> + Send;

    /// Asks to be no member any more. The same events follow.
    fn leave(&mut self, room: &str) -> impl Future<Output = Result<u64, Broken>> + Send;

    /// As [`Link::send`], to the other members of a room.
    fn send_to_room(
        &mut self,
        kind: MessageKind,
        room: &str,
        payload: &RawValue,
    ) -> impl Future<Output = Result<u64, Broken>> + Send;
}

/// A kind of server.
pub trait Driver: Send + Sync + 'static {
    /// Its connected peer.
    type Link: Link;

    /// What it promises.
    fn promises(&self) -> Promises;

    /// How many nodes there are to choose from.
    fn nodes(&self) -> usize;

    /// Connects and waits until the server says that messages can come.
    fn connect(&self, who: &Who) -> impl Future<Output = Result<(Self::Link, Greeting), Refusal>> + Send;
}
