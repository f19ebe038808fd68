//! socket.io 4 over its WebSocket transport alone, to `loadtest/rivals/socketio/server.mjs`: a peer is in the room
//! named by its ID, and `signal` goes to another's room. Text packets of engine.io 4; no polling, no binary, and no
//! acknowledgements, as signaling is usually built.

use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    Broken, Driver, Greeting, Heard, Link, Promises, Refusal, Who,
    websocket::{self, Opened, Wire, within_greeting},
};

/// engine.io's packets, and socket.io's inside its message packet `4`.
const PING: &str = "2";
const PONG: &str = "3";
const OPEN: char = '0';
const CONNECT: &str = "40";
const DISCONNECT: &str = "41";
const EVENT: &str = "42";
const CONNECT_ERROR: &str = "44";
/// Milliseconds of silence that are taken whatever the server announces.
const MOST_SILENCE_MILLIS: u64 = 600_000;

/// Nodes of one socket.io cluster.
pub(crate) struct SocketIo {
    urls: Vec<String>,
}

impl SocketIo {
    /// For addresses such as `ws://127.0.0.1:3000/socket.io/`, at least one.
    pub(crate) fn new(urls: Vec<String>) -> anyhow::Result<Self> {
        ensure!(!urls.is_empty(), "the driver socketio needs at least one URL");
        Ok(Self { urls })
    }
}

/// A connected socket.
pub(crate) struct SocketIoLink {
    wire: Wire,
    /// Without a ping for so long, the connection is dead: as socket.io's own client has it.
    silence: Duration,
    deadline: std::pin::Pin<Box<Sleep>>,
    sent: u64,
    ended: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handshake {
    ping_interval: u64,
    ping_timeout: u64,
}

#[derive(Deserialize)]
struct Ready {
    node: String,
}

#[derive(Deserialize)]
struct Signal {
    from: String,
    payload: Box<RawValue>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    to: &'a str,
    kind: &'static str,
    payload: &'a RawValue,
}

impl Driver for SocketIo {
    type Link = SocketIoLink;

    fn promises(&self) -> Promises {
        Promises::RELAYS
    }

    fn nodes(&self) -> usize {
        self.urls.len()
    }

    async fn connect(&self, who: &Who) -> Result<(Self::Link, Greeting), Refusal> {
        let url = who.pick(&self.urls)?;
        let url = format!("{url}?EIO=4&transport=websocket");
        let Opened {
            mut wire,
            connect,
            asked,
        } = websocket::open(&url, who.source).await?;
        let (handshake, node) = within_greeting(greet(&mut wire, &who.peer)).await?;
        let silence = handshake.ping_interval.saturating_add(handshake.ping_timeout);
        let silence = Duration::from_millis(silence.min(MOST_SILENCE_MILLIS));
        let link = SocketIoLink {
            wire,
            silence,
            deadline: Box::pin(sleep(silence)),
            sent: 0,
            ended: false,
        };
        let greeting = Greeting {
            address: who.peer.clone(),
            node: Some(node),
            connect,
            authenticate: asked.elapsed(),
        };
        Ok((link, greeting))
    }
}

/// Connects to the main namespace and waits for `ready`: only then is the peer in its room.
async fn greet(wire: &mut Wire, peer: &str) -> Result<(Handshake, String), Refusal> {
    let text = wire.hear().await.map_err(Refusal)?;
    let handshake = text.strip_prefix(OPEN);
    let handshake = handshake.and_then(|text| serde_json::from_str(text).ok());
    let handshake = handshake.ok_or_else(|| Refusal("no handshake of engine.io".into()))?;
    let auth = serde_json::json!({ "peer": peer });
    let asked = wire.send(format!("{CONNECT}{auth}")).await;
    asked.map_err(|Broken| Refusal("connection closed".into()))?;
    loop {
        let text = wire.hear().await.map_err(Refusal)?;
        if &*text == PING {
            wire.owe(PONG);
        } else if text.starts_with(CONNECT_ERROR) {
            return Err(Refusal("connect_error".into()));
        } else if let Some(Ready { node }) = event(&text, "ready") {
            return Ok((handshake, node));
        }
    }
}

/// The argument of the event `name`, if that is what the packet is.
fn event<'a, T: Deserialize<'a>>(packet: &'a str, name: &str) -> Option<T> {
    let (found, argument): (String, T) = serde_json::from_str(packet.strip_prefix(EVENT)?).ok()?;
    (found == name).then_some(argument)
}

impl SocketIoLink {
    fn end(&mut self, why: String) -> Heard {
        self.ended = true;
        Heard::Ended(why)
    }
}

impl Link for SocketIoLink {
    async fn send(&mut self, kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        if self.ended {
            return Err(Broken);
        }
        let kind = kind.as_str();
        // Two strings and a JSON text: nothing in it can fail to become JSON.
        let text = serde_json::to_string(&("signal", Outgoing { to, kind, payload })).map_err(|_| Broken)?;
        self.sent += 1;
        self.wire.send(format!("{EVENT}{text}")).await?;
        Ok(self.sent)
    }

    async fn next(&mut self) -> Heard {
        if self.ended {
            return std::future::pending().await;
        }
        loop {
            let heard = tokio::select! {
                heard = self.wire.hear() => heard,
                () = &mut self.deadline => Err("ping timeout".to_owned()),
            };
            match heard {
                Ok(text) if &*text == PING => {
                    self.wire.owe(PONG);
                    self.deadline.as_mut().reset(Instant::now() + self.silence);
                }
                Ok(text) if text.starts_with(DISCONNECT) => {
                    return self.end("disconnected by the server".into());
                }
                Ok(text) => {
                    if let Some(Signal { from, payload }) = event(&text, "signal") {
                        let from = Some(from);
                        return Heard::Message { from, payload };
                    }
                }
                Err(why) => return self.end(why),
            }
        }
    }

    async fn close(mut self) {
        // Whether the goodbye arrives or not, the close follows.
        let _ = tokio::time::timeout(websocket::CLOSE_WITHIN, self.wire.send(DISCONNECT.into())).await;
        self.wire.close().await;
    }
}
