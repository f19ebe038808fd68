//! PeerServer (npm `peer` 1.0), in the protocol of the PeerJS client: JSON with `type`, `src`, `dst`, `payload`
//! over `/peerjs`. There is one node. It names the sender, and confirms nothing.
//!
//! PeerServer relays the types OFFER, ANSWER, CANDIDATE, LEAVE and EXPIRE only. So an application's message goes as
//! a CANDIDATE, and a bye as a LEAVE with a payload (its own LEAVE, for a dead peer, has none).

use std::{collections::VecDeque, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{
    Broken, Greeting, LinkEvent, Outcome, Promises, Refusal, Who,
    relay::{Connection, Protocol},
    websocket::{self, Opened, Wire, within_greeting},
};

/// The PeerJS client's own `pingInterval`; the server drops a peer that is silent for 60 s.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
const HEARTBEAT: &str = r#"{"type":"HEARTBEAT"}"#;
/// The server checks every second for messages that waited 5 s, and sends EXPIRE for them.
const EXPIRY: Duration = Duration::from_millis(6500);
/// Sends remembered for an EXPIRE; earlier ones get no outcome.
const MAX_REMEMBERED: usize = 4096;

/// The protocol of PeerServer, for addresses for example `ws://127.0.0.1:9000/peerjs`.
pub(crate) struct PeerJs;

/// A peer known to PeerServer.
pub(crate) struct PeerConnection {
    wire: Wire,
    heartbeat: Interval,
    recent: VecDeque<Sent>,
    expired: VecDeque<u64>,
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

impl Protocol for PeerJs {
    type Connection = PeerConnection;

    const PROMISES: Promises = Promises::RELAYS;

    async fn connect(&self, url: &str, who: &Who) -> Result<(PeerConnection, Greeting), Refusal> {
        let token: u64 = rand::random();
        let url = format!("{url}?key=peerjs&id={}&token={token:x}&version=1.5.5", who.peer);
        let Opened { mut wire, times } = websocket::open(&url, who.source).await?;
        within_greeting(opened(&mut wire)).await?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (recent, expired) = (VecDeque::new(), VecDeque::new());
        let connection = PeerConnection {
            wire,
            heartbeat,
            recent,
            expired,
        };
        Ok((connection, times.greeting(who.peer.clone(), None)))
    }
}

async fn opened(wire: &mut Wire) -> Result<(), Refusal> {
    let text = wire.receive().await.map_err(Refusal)?;
    let envelope = serde_json::from_str::<Envelope<'_>>(&text);
    match envelope.map_or("", |envelope| envelope.kind) {
        "OPEN" => Ok(()),
        "ID-TAKEN" => Err(Refusal("ID-TAKEN".into())),
        "ERROR" => Err(Refusal("ERROR: the key or the limit of peers".into())),
        _ => Err(Refusal("no OPEN".into())),
    }
}

impl PeerConnection {
    fn remember(&mut self, id: u64, to: &str) {
        let at = Instant::now();
        while self.recent.len() >= MAX_REMEMBERED
            || self.recent.front().is_some_and(|sent| at - sent.at > EXPIRY)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(Sent {
            at,
            id,
            to: to.into(),
        });
    }

    /// `to` was absent for 5 s. One EXPIRE stands for everything that was queued for it, without naming it: all that
    /// was sent to it in that time.
    fn expire(&mut self, to: &str) {
        let now = Instant::now();
        let expired = &mut self.expired;
        self.recent.retain(|sent| {
            let is_meant = *sent.to == *to;
            if is_meant && now - sent.at <= EXPIRY {
                expired.push_back(sent.id);
            }
            !is_meant
        });
    }

    fn meaning(&mut self, text: &str) -> Option<LinkEvent> {
        // Anything outside the protocol has no receiver.
        let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
        match (envelope.kind, envelope.payload) {
            ("OFFER" | "ANSWER" | "CANDIDATE" | "LEAVE", Some(payload)) => {
                return Some(LinkEvent::Message {
                    from: envelope.src,
                    payload,
                });
            }
            // LEAVE without a payload: the server found the socket of `src` dead while it relayed.
            ("EXPIRE" | "LEAVE", _) => self.expire(envelope.src.as_deref().unwrap_or_default()),
            _ => {}
        }
        None
    }
}

impl Connection for PeerConnection {
    async fn send(&mut self, id: u64, kind: MessageKind, to: &str, payload: &RawValue) -> Result<(), Broken> {
        let kind = match kind {
            MessageKind::Offer => "OFFER",
            MessageKind::Answer => "ANSWER",
            MessageKind::Candidate | MessageKind::Message => "CANDIDATE",
            MessageKind::Bye => "LEAVE",
        };
        self.remember(id, to);
        let (to, payload) = (serde_json::Value::from(to), payload.get());
        self.wire
            .send(format!(r#"{{"type":"{kind}","dst":{to},"payload":{payload}}}"#))
            .await
    }

    async fn next(&mut self) -> Result<LinkEvent, String> {
        loop {
            if let Some(id) = self.expired.pop_front() {
                return Ok(LinkEvent::Outcome {
                    id,
                    outcome: Outcome::Failed("expired".into()),
                });
            }
            tokio::select! {
                _ = self.heartbeat.tick() => self.wire.owe(HEARTBEAT),
                text = self.wire.receive() => if let Some(event) = self.meaning(&text?) {
                    return Ok(event);
                },
            }
        }
    }

    async fn close(self) {
        self.wire.close().await;
    }
}
