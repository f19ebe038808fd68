//! PeerServer (npm `peer` 1.0), in the protocol of the PeerJS client: JSON with `type`, `src`, `dst`, `payload`
//! over `/peerjs`. There is one node; it names the sender, and says nothing when it relays.
//!
//! PeerServer relays the types OFFER, ANSWER, CANDIDATE, LEAVE and EXPIRE only, so an application's message goes as
//! a CANDIDATE, and a bye as a LEAVE with a payload (its own LEAVE, for a dead peer, has none).

use std::{collections::VecDeque, time::Duration};

use anyhow::ensure;
use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{
    Broken, Driver, Greeting, Heard, Link, Promises, Refusal, Who, Word,
    websocket::{self, Opened, Wire, within_greeting},
};

/// The PeerJS client's own `pingInterval`; the server drops a peer that is silent for 60 s.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
const HEARTBEAT: &str = r#"{"type":"HEARTBEAT"}"#;
/// EXPIRE comes 5 s after the first message of those that it tells of, looked at every second.
const EXPIRY: Duration = Duration::from_millis(6500);
/// Sends remembered for an EXPIRE; those before them get no word.
const MOST_REMEMBERED: usize = 4096;

/// PeerServers, one address each; peers of different addresses do not hear each other.
pub(crate) struct PeerServer {
    urls: Vec<String>,
}

impl PeerServer {
    /// For addresses such as `ws://127.0.0.1:9000/peerjs`, at least one.
    pub(crate) fn new(urls: Vec<String>) -> anyhow::Result<Self> {
        ensure!(!urls.is_empty(), "the driver peerjs needs at least one URL");
        Ok(Self { urls })
    }
}

/// A peer known to PeerServer.
pub(crate) struct PeerLink {
    wire: Wire,
    heartbeat: Interval,
    sent: u64,
    recent: VecDeque<Sent>,
    words: VecDeque<u64>,
    ended: bool,
}

struct Sent {
    at: Instant,
    id: u64,
    to: Box<str>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default)]
    src: Option<String>,
    #[serde(default)]
    payload: Option<Box<RawValue>>,
}

impl Driver for PeerServer {
    type Link = PeerLink;

    fn promises(&self) -> Promises {
        Promises::RELAYS
    }

    fn nodes(&self) -> usize {
        self.urls.len()
    }

    async fn connect(&self, who: &Who) -> Result<(Self::Link, Greeting), Refusal> {
        let url = who.pick(&self.urls)?;
        let token: u64 = rand::random();
        let url = format!("{url}?key=peerjs&id={}&token={token:x}&version=1.5.5", who.peer);
        let Opened {
            mut wire,
            connect,
            asked,
        } = websocket::open(&url, who.source).await?;
        within_greeting(opened(&mut wire)).await?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let link = PeerLink {
            wire,
            heartbeat,
            sent: 0,
            recent: VecDeque::new(),
            words: VecDeque::new(),
            ended: false,
        };
        let greeting = Greeting {
            address: who.peer.clone(),
            node: None,
            connect,
            authenticate: asked.elapsed(),
        };
        Ok((link, greeting))
    }
}

async fn opened(wire: &mut Wire) -> Result<(), Refusal> {
    let text = wire.hear().await.map_err(Refusal)?;
    match serde_json::from_str::<Envelope<'_>>(&text) {
        Ok(Envelope { kind: "OPEN", .. }) => Ok(()),
        Ok(Envelope { kind: "ID-TAKEN", .. }) => Err(Refusal("ID-TAKEN".into())),
        Ok(Envelope { kind: "ERROR", .. }) => Err(Refusal("ERROR: the key or the limit of peers".into())),
        Ok(_) | Err(_) => Err(Refusal("no OPEN".into())),
    }
}

impl PeerLink {
    fn remember(&mut self, to: &str) {
        let now = Instant::now();
        while self
            .recent
            .front()
            .is_some_and(|sent| now - sent.at > EXPIRY || self.recent.len() >= MOST_REMEMBERED)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(Sent {
            at: now,
            id: self.sent,
            to: to.into(),
        });
    }

    /// `to` was not there for 5 s. One EXPIRE stands for all that was queued for it, without saying what: all that
    /// was sent to it in that time.
    fn expire(&mut self, to: &str) {
        let now = Instant::now();
        let words = &mut self.words;
        self.recent.retain(|sent| {
            if &*sent.to != to {
                return true;
            }
            if now - sent.at <= EXPIRY {
                words.push_back(sent.id);
            }
            false
        });
    }

    fn meaning(&mut self, text: &str) -> Option<Heard> {
        // What is not of the protocol is for no one.
        let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
        match (envelope.kind, envelope.payload) {
            ("OFFER" | "ANSWER" | "CANDIDATE" | "LEAVE", Some(payload)) => Some(Heard::Message {
                from: envelope.src,
                payload,
            }),
            // LEAVE without a payload: the server found the socket of `src` dead while it relayed.
            ("EXPIRE" | "LEAVE", _) => {
                self.expire(envelope.src.as_deref().unwrap_or_default());
                None
            }
            _ => None,
        }
    }
}

impl Link for PeerLink {
    async fn send(&mut self, kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        if self.ended {
            return Err(Broken);
        }
        let kind = match kind {
            MessageKind::Offer => "OFFER",
            MessageKind::Answer => "ANSWER",
            MessageKind::Candidate | MessageKind::Message => "CANDIDATE",
            MessageKind::Bye => "LEAVE",
        };
        let text = format!(
            r#"{{"type":"{kind}","dst":{},"payload":{}}}"#,
            serde_json::Value::from(to),
            payload.get()
        );
        self.sent += 1;
        self.remember(to);
        self.wire.send(text).await?;
        Ok(self.sent)
    }

    async fn next(&mut self) -> Heard {
        if self.ended {
            return std::future::pending().await;
        }
        loop {
            if let Some(id) = self.words.pop_front() {
                let word = Word::Failed("expired".into());
                return Heard::Word { id, word };
            }
            tokio::select! {
                _ = self.heartbeat.tick() => self.wire.owe(HEARTBEAT),
                heard = self.wire.hear() => match heard {
                    Ok(text) => {
                        if let Some(heard) = self.meaning(&text) {
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
    }

    async fn close(self) {
        self.wire.close().await;
    }
}
