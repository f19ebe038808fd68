//! Raw Redis, the baseline: a peer is one RESP3 connection that has SUBSCRIBEd to the channel named by its ID and
//! PUBLISHes to those of others. RESP3 lets one connection do both, so there are no second connections and no
//! pool of publishers, and the bytes on the wire are the payload and its channel's name. It is not a signaling
//! server: it authenticates no peer and names no sender.
//!
//! PUBLISH answers how many subscribers it was queued for. 0 is a failure. 1 says nothing about arrival, so it gives
//! no outcome.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use switchboard_harness::resp::{self, Reply};
use switchboard_protocol::MessageKind;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Broken, Greeting, LinkEvent, Outcome, Promises, Refusal, Who,
    relay::{Connection, Protocol},
    websocket::{dial, within_greeting},
};

/// Bytes that a connection's buffers start with; they grow with the messages.
const BUFFER_BYTES: usize = 1024;

/// The protocol of Redis, for addresses for example `redis://127.0.0.1:6379`.
pub(crate) struct RawRedis;

/// A subscribed connection.
pub(crate) struct RedisConnection {
    tcp: TcpStream,
    received: Vec<u8>,
    unsent: Vec<u8>,
    /// Sends whose reply is to come, in order: Redis answers in order.
    unanswered: VecDeque<u64>,
}

impl Protocol for RawRedis {
    type Connection = RedisConnection;

    const PROMISES: Promises = Promises {
        outcomes: false,
        names_sender: false,
        resumes: false,
    };

    async fn connect(&self, url: &str, who: &Who) -> Result<(RedisConnection, Greeting), Refusal> {
        let (host, port) = address(url).ok_or_else(|| Refusal("not redis://HOST:PORT".into()))?;
        within_greeting(async {
            let started = Instant::now();
            let tcp = dial(host, port, who.source).await?;
            let connect = started.elapsed();
            let (connection, authenticate) = subscribe(tcp, &who.peer).await?;
            Ok((
                connection,
                Greeting {
                    address: who.peer.clone(),
                    node: None,
                    connect,
                    authenticate,
                },
            ))
        })
        .await
    }
}

fn address(url: &str) -> Option<(&str, u16)> {
    let rest = url.strip_prefix("redis://").filter(|rest| !rest.contains('@'))?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

async fn subscribe(tcp: TcpStream, peer: &str) -> Result<(RedisConnection, Duration), Refusal> {
    let asked = Instant::now();
    let mut connection = RedisConnection {
        tcp,
        received: Vec::with_capacity(BUFFER_BYTES),
        unsent: Vec::new(),
        unanswered: VecDeque::new(),
    };
    resp::command(&mut connection.unsent, &["HELLO", "3"]);
    resp::command(&mut connection.unsent, &["SUBSCRIBE", peer]);
    let written = connection.write().await;
    written.map_err(|Broken| Refusal("connection closed".into()))?;
    loop {
        match connection.reply().await.map_err(Refusal)? {
            Reply::Push(items) if is_text(items.first(), "subscribe") => {
                return Ok((connection, asked.elapsed()));
            }
            // Redis before 6 does not know HELLO.
            Reply::Error(error) => return Err(Refusal(first_word(&error))),
            Reply::Text(_) | Reply::Integer(_) | Reply::Array(_) | Reply::Push(_) | Reply::Other => {}
        }
    }
}

fn is_text(reply: Option<&Reply>, text: &str) -> bool {
    matches!(reply, Some(Reply::Text(found)) if found == text)
}

/// An error's code, for example `NOAUTH`; the rest may quote the command.
fn first_word(error: &str) -> String {
    error.split(' ').next().unwrap_or_default().to_owned()
}

impl RedisConnection {
    /// Writes the unsent bytes. A dropped future leaves the rest for the next call.
    async fn write(&mut self) -> Result<(), Broken> {
        while !self.unsent.is_empty() {
            match self.tcp.write(&self.unsent).await {
                Ok(0) | Err(_) => return Err(Broken),
                Ok(written) => drop(self.unsent.drain(..written)),
            }
        }
        Ok(())
    }

    /// The next reply, or why there is none any more. Nothing is lost when the future is dropped.
    async fn reply(&mut self) -> Result<Reply, String> {
        loop {
            let parsed = resp::parse(&self.received);
            if let Some((reply, length)) = parsed.map_err(|_| "a malformed reply".to_owned())? {
                self.received.drain(..length);
                return Ok(reply);
            }
            match self.tcp.read_buf(&mut self.received).await {
                Ok(0) => return Err("connection closed".into()),
                Ok(_) => {}
                Err(error) => return Err(format!("io: {}", error.kind())),
            }
        }
    }

    /// What a reply means; `None` if nothing.
    fn meaning(&mut self, reply: Reply) -> Option<LinkEvent> {
        let failure = match reply {
            Reply::Push(items) => return message(items),
            Reply::Integer(0) => Some("no receiver".to_owned()),
            Reply::Integer(_) => None,
            Reply::Error(error) => Some(first_word(&error)),
            Reply::Text(_) | Reply::Array(_) | Reply::Other => return None,
        };
        let id = self.unanswered.pop_front()?;
        failure.map(|reason| LinkEvent::Outcome {
            id,
            outcome: Outcome::Failed(reason),
        })
    }
}

fn message(mut items: Vec<Reply>) -> Option<LinkEvent> {
    let is_message = is_text(items.first(), "message");
    match items.pop() {
        // A payload that is not JSON came from another program.
        Some(Reply::Text(payload)) if is_message => {
            let payload = RawValue::from_string(payload).ok()?;
            Some(LinkEvent::Message { from: None, payload })
        }
        _ => None,
    }
}

impl Connection for RedisConnection {
    async fn send(&mut self, id: u64, _: MessageKind, to: &str, payload: &RawValue) -> Result<(), Broken> {
        resp::command(&mut self.unsent, &["PUBLISH", to, payload.get()]);
        // Before the write: a dropped future leaves the command unsent, and it goes out with the next one.
        self.unanswered.push_back(id);
        self.write().await
    }

    async fn next(&mut self) -> Result<LinkEvent, String> {
        loop {
            let reply = self.reply().await?;
            if let Some(event) = self.meaning(reply) {
                return Ok(event);
            }
        }
    }

    async fn close(mut self) {
        // A connection that cannot be shut down is gone already.
        let _ = self.tcp.shutdown().await;
    }
}
