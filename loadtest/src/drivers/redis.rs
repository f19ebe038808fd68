//! Raw Redis, the floor: a peer is one RESP3 connection that has SUBSCRIBEd to the channel named by its ID and
//! PUBLISHes to those of others. RESP3 lets one connection do both, so there are neither second connections nor a
//! pool of publishers, and the bytes on the wire are the payload and its channel's name. It is not a signaling
//! server: nobody is authenticated and nothing says who sent.
//!
//! PUBLISH answers how many subscribers it was queued for: 0 is told as a failure; 1 says nothing of arrival, so
//! there is no word for it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::value::RawValue;
use switchboard_harness::resp::{self, Reply};
use switchboard_protocol::MessageKind;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Broken, Driver, Greeting, Heard, Link, Promises, Refusal, Who, Word,
    websocket::{dial, within_greeting},
};

/// Bytes that a connection's buffers start with; they grow with the messages.
const BUFFER_BYTES: usize = 1024;

/// Redis servers, one address each; peers of different addresses do not hear each other.
pub(crate) struct RedisFloor {
    nodes: Vec<(String, u16)>,
}

impl RedisFloor {
    /// For addresses such as `redis://127.0.0.1:6379`, at least one.
    pub(crate) fn new(urls: &[String]) -> anyhow::Result<Self> {
        ensure!(!urls.is_empty(), "the driver redis needs at least one URL");
        let nodes = urls
            .iter()
            .map(|url| address(url))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { nodes })
    }
}

fn address(url: &str) -> anyhow::Result<(String, u16)> {
    let rest = url
        .strip_prefix("redis://")
        .with_context(|| format!("{url} is no redis:// URL"))?;
    ensure!(
        !rest.contains('@'),
        "{url}: the driver redis takes no credentials"
    );
    let rest = rest.trim_end_matches('/');
    let (host, port) = rest
        .rsplit_once(':')
        .with_context(|| format!("{url} names no port"))?;
    let port = port
        .parse()
        .with_context(|| format!("{url}: {port} is no port"))?;
    Ok((host.to_owned(), port))
}

/// A subscribed connection.
pub(crate) struct RedisLink {
    tcp: TcpStream,
    heard: Vec<u8>,
    unsent: Vec<u8>,
    sent: u64,
    /// Sends whose reply is to come, in order: Redis answers in order.
    unanswered: VecDeque<u64>,
    ended: bool,
}

impl Driver for RedisFloor {
    type Link = RedisLink;

    fn promises(&self) -> Promises {
        Promises {
            final_words: false,
            names_sender: false,
            resumes: false,
        }
    }

    fn nodes(&self) -> usize {
        self.nodes.len()
    }

    async fn connect(&self, who: &Who) -> Result<(Self::Link, Greeting), Refusal> {
        let node = self.nodes.get(who.node % self.nodes.len());
        let (host, port) = node.ok_or_else(|| Refusal("no such node".into()))?;
        within_greeting(async {
            let started = Instant::now();
            let tcp = dial(host, *port, who.source).await?;
            let connect = started.elapsed();
            let (link, authenticate) = subscribe(tcp, &who.peer).await?;
            let greeting = Greeting {
                address: who.peer.clone(),
                node: None,
                connect,
                authenticate,
            };
            Ok((link, greeting))
        })
        .await
    }
}

async fn subscribe(tcp: TcpStream, peer: &str) -> Result<(RedisLink, Duration), Refusal> {
    let asked = Instant::now();
    let mut link = RedisLink {
        tcp,
        heard: Vec::with_capacity(BUFFER_BYTES),
        unsent: Vec::new(),
        sent: 0,
        unanswered: VecDeque::new(),
        ended: false,
    };
    resp::command(&mut link.unsent, &["HELLO", "3"]);
    resp::command(&mut link.unsent, &["SUBSCRIBE", peer]);
    link.write()
        .await
        .map_err(|_| Refusal("connection closed".into()))?;
    loop {
        match link.reply().await.map_err(Refusal)? {
            Reply::Push(items) if is_text(items.first(), "subscribe") => {
                return Ok((link, asked.elapsed()));
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

/// An error's code, such as `NOAUTH`; what follows may quote the command.
fn first_word(error: &str) -> String {
    error.split(' ').next().unwrap_or_default().to_owned()
}

impl RedisLink {
    /// Writes what is unsent. A dropped future leaves the rest unsent for the next.
    async fn write(&mut self) -> Result<(), Broken> {
        while !self.unsent.is_empty() {
            let written = self.tcp.write(&self.unsent).await.map_err(|_| Broken)?;
            if written == 0 {
                return Err(Broken);
            }
            self.unsent.drain(..written);
        }
        Ok(())
    }

    /// The next reply, or why there is none any more. Nothing is lost when the future is dropped.
    async fn reply(&mut self) -> Result<Reply, String> {
        loop {
            let parsed = resp::parse(&self.heard);
            if let Some((reply, length)) = parsed.map_err(|_| "a malformed reply".to_owned())? {
                self.heard.drain(..length);
                return Ok(reply);
            }
            match self.tcp.read_buf(&mut self.heard).await {
                Ok(0) => return Err("connection closed".into()),
                Ok(_) => {}
                Err(error) => return Err(format!("io: {}", error.kind())),
            }
        }
    }

    /// What a reply means; `None` if nothing.
    fn meaning(&mut self, reply: Reply) -> Option<Heard> {
        let failed = |id, text: String| Heard::Word {
            id,
            word: Word::Failed(text),
        };
        match reply {
            Reply::Push(items) => message(items),
            Reply::Integer(receivers) => {
                let id = self.unanswered.pop_front()?;
                (receivers == 0).then(|| failed(id, "no receiver".into()))
            }
            Reply::Error(error) => {
                let id = self.unanswered.pop_front()?;
                Some(failed(id, first_word(&error)))
            }
            Reply::Text(_) | Reply::Array(_) | Reply::Other => None,
        }
    }
}

fn message(mut items: Vec<Reply>) -> Option<Heard> {
    if !is_text(items.first(), "message") {
        return None;
    }
    let Some(Reply::Text(payload)) = items.pop() else {
        return None;
    };
    // What is not JSON came from no link of ours.
    let payload = RawValue::from_string(payload).ok()?;
    Some(Heard::Message { from: None, payload })
}

impl Link for RedisLink {
    async fn send(&mut self, _kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        if self.ended {
            return Err(Broken);
        }
        resp::command(&mut self.unsent, &["PUBLISH", to, payload.get()]);
        self.sent += 1;
        // Before the write: a dropped future leaves the command unsent, and it goes out with the next.
        self.unanswered.push_back(self.sent);
        self.write().await?;
        Ok(self.sent)
    }

    async fn next(&mut self) -> Heard {
        if self.ended {
            return std::future::pending().await;
        }
        loop {
            match self.reply().await {
                Ok(reply) => {
                    if let Some(heard) = self.meaning(reply) {
                        return heard;
                    }
                }
                Err(why) => {
                    self.ended = true;
                    return Heard::Ended(why);
                }
            }
        }
    }

    async fn close(mut self) {
        // A connection that cannot be shut down is gone already.
        let _ = self.tcp.shutdown().await;
    }
}
