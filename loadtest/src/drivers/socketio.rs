//! socket.io 4 over its WebSocket transport alone, to `loadtest/rivals/socketio/server.mjs`: a peer is in the room
//! named by its ID, and `signal` goes to another's room. Text packets of engine.io 4; no polling, no binary, and no
//! acknowledgements, as signaling is usually built.

use std::{pin::Pin, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    Broken, Greeting, LinkEvent, Promises, Refusal, Who,
    relay::{Connection, Protocol},
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
/// Milliseconds of silence at most, whatever the server announces.
const MAX_SILENCE_MS: u64 = 600_000;

/// The protocol of the socket.io server, for addresses for example `ws://127.0.0.1:3000/socket.io/`.
pub(crate) struct SocketIo;

/// A connected socket.
pub(crate) struct Socket {
    wire: Wire,
    /// Without a ping for so long, the connection is dead. socket.io's own client has the same rule.
    silence: Duration,
    deadline: Pin<Box<Sleep>>,
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

impl Protocol for SocketIo {
    type Connection = Socket;

    const PROMISES: Promises = Promises::RELAYS;

    async fn connect(&self, url: &str, who: &Who) -> Result<(Socket, Greeting), Refusal> {
        let url = format!("{url}?EIO=4&transport=websocket");
        let Opened { mut wire, times } = websocket::open(&url, who.source).await?;
        let (handshake, node) = within_greeting(greet(&mut wire, &who.peer)).await?;
        let silence = handshake.ping_interval.saturating_add(handshake.ping_timeout);
        let silence = Duration::from_millis(silence.min(MAX_SILENCE_MS));
        let socket = Socket {
            wire,
            silence,
            deadline: Box::pin(sleep(silence)),
        };
        Ok((socket, times.greeting(who.peer.clone(), Some(node))))
    }
}

/// Connects to the main namespace and waits for `ready`: only then is the peer in its room.
async fn greet(wire: &mut Wire, peer: &str) -> Result<(Handshake, String), Refusal> {
    let text = wire.receive().await.map_err(Refusal)?;
    let handshake = text
        .strip_prefix(OPEN)
        .and_then(|text| serde_json::from_str(text).ok());
    let handshake = handshake.ok_or_else(|| Refusal("no handshake of engine.io".into()))?;
    wire.ask(format!("{CONNECT}{}", serde_json::json!({ "peer": peer })))
        .await?;
    loop {
        let text = wire.receive().await.map_err(Refusal)?;
        if &*text == PING {
            wire.owe(PONG);
        } else if text.starts_with(CONNECT_ERROR) {
            return Err(Refusal("connect_error".into()));
        } else if let Some(Ready { node }) = event(&text, "ready") {
            return Ok((handshake, node));
        }
    }
}

/// The argument of the event `name`, if the packet is that event.
fn event<'a, T: Deserialize<'a>>(packet: &'a str, name: &str) -> Option<T> {
    let (found, argument): (String, T) = serde_json::from_str(packet.strip_prefix(EVENT)?).ok()?;
    (found == name).then_some(argument)
}

impl Connection for Socket {
    async fn send(&mut self, _: u64, kind: MessageKind, to: &str, payload: &RawValue) -> Result<(), Broken> {
        let kind = kind.as_str();
        // Two strings and a JSON text: nothing in it can fail to become JSON.
        let text = serde_json::to_string(&("signal", Outgoing { to, kind, payload })).map_err(|_| Broken)?;
        self.wire.send(format!("{EVENT}{text}")).await
    }

    async fn next(&mut self) -> Result<LinkEvent, String> {
        loop {
            let text = tokio::select! {
                text = self.wire.receive() => text?,
                () = &mut self.deadline => return Err("ping timeout".to_owned()),
            };
            if &*text == PING {
                self.wire.owe(PONG);
                self.deadline.as_mut().reset(Instant::now() + self.silence);
            } else if text.starts_with(DISCONNECT) {
                return Err("disconnected by the server".into());
            } else if let Some(Signal { from, payload }) = event(&text, "signal") {
                return Ok(LinkEvent::Message {
                    from: Some(from),
                    payload,
                });
            }
        }
    }

    async fn close(mut self) {
        // The close follows whether the goodbye arrives or not.
        let _ = tokio::time::timeout(websocket::CLOSE_TIME, self.wire.send(DISCONNECT.into())).await;
        self.wire.close().await;
    }
}
