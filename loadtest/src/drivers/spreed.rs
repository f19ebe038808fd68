//! nextcloud-spreed-signaling, in version 1.0 of its protocol: `hello` as an internal client (a random text and its
//! HMAC), then `message` to a session. Internal clients need no Nextcloud to vouch for them. Others send to the
//! session ID that the server gives out, so that is the address. There are no rooms and no media server.

use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use switchboard_protocol::MessageKind;

use super::{
    Broken, Greeting, LinkEvent, Outcome, Promises, Refusal, Who,
    relay::{Connection, Protocol},
    websocket::{self, Opened, Wire, within_greeting},
};

/// Stands for the Nextcloud that a peer belongs to; the server compares it and asks it nothing.
const BACKEND: &str = "http://127.0.0.1";

/// The protocol of spreed servers, for addresses for example `ws://127.0.0.1:8080/spreed`. Peers of different addresses
/// reach each other if the servers share a NATS.
pub(crate) struct Spreed(hmac::Key);

/// A session.
pub(crate) struct SpreedSession(Wire);

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    hello: Option<SessionId>,
    #[serde(default)]
    error: Option<ServerError>,
    #[serde(default)]
    message: Option<Incoming>,
}

#[derive(Deserialize)]
struct SessionId {
    sessionid: String,
}

#[derive(Deserialize)]
struct ServerError {
    code: String,
}

#[derive(Deserialize)]
struct Incoming {
    sender: SessionId,
    data: Box<RawValue>,
}

impl Spreed {
    /// For servers with this `internalsecret`.
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn hello(&self) -> String {
        let random: [u64; 4] = rand::random();
        let random: String = random.iter().map(|word| format!("{word:016x}")).collect();
        let tag = hmac::sign(&self.0, random.as_bytes());
        let token: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let params = json!({ "random": random, "token": token, "backend": BACKEND });
        let hello = json!({ "version": "1.0", "auth": { "type": "internal", "params": params } });
        json!({ "id": "hello", "type": "hello", "hello": hello }).to_string()
    }
}

impl Protocol for Spreed {
    type Connection = SpreedSession;

    const PROMISES: Promises = Promises::RELAYS;

    async fn connect(&self, url: &str, who: &Who) -> Result<(SpreedSession, Greeting), Refusal> {
        let Opened { mut wire, times } = websocket::open(url, who.source).await?;
        let address = within_greeting(greet(&mut wire, self.hello())).await?;
        Ok((SpreedSession(wire), times.greeting(address, None)))
    }
}

async fn greet(wire: &mut Wire, hello: String) -> Result<String, Refusal> {
    wire.ask(hello).await?;
    loop {
        let text = wire.receive().await.map_err(Refusal)?;
        let envelope = serde_json::from_str::<Envelope>(&text);
        let envelope = envelope.map_err(|_| Refusal("not the protocol".into()))?;
        if let Some(error) = envelope.error {
            return Err(Refusal(error.code));
        }
        if let Some(hello) = envelope.hello {
            return Ok(hello.sessionid);
        }
        // Newer servers send `welcome` before they are asked.
    }
}

/// What a text means; `None` for events of rooms and the like.
fn meaning(text: &str) -> Option<LinkEvent> {
    let envelope: Envelope = serde_json::from_str(text).ok()?;
    if let Some(error) = envelope.error {
        let id = envelope.id?.parse().ok()?;
        return Some(LinkEvent::Outcome {
            id,
            outcome: Outcome::Failed(error.code),
        });
    }
    let Incoming { sender, data } = envelope.message?;
    Some(LinkEvent::Message {
        from: Some(sender.sessionid),
        payload: data,
    })
}

impl Connection for SpreedSession {
    async fn send(&mut self, id: u64, _: MessageKind, to: &str, payload: &RawValue) -> Result<(), Broken> {
        let (to, data) = (serde_json::Value::from(to), payload.get());
        let message = format!(r#"{{"recipient":{{"type":"session","sessionid":{to}}},"data":{data}}}"#);
        self.0
            .send(format!(r#"{{"id":"{id}","type":"message","message":{message}}}"#))
            .await
    }

    async fn next(&mut self) -> Result<LinkEvent, String> {
        loop {
            if let Some(event) = meaning(&self.0.receive().await?) {
                return Ok(event);
            }
        }
    }

    async fn close(self) {
        self.0.close().await;
    }
}
