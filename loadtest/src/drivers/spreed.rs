//! nextcloud-spreed-signaling, in version 1.0 of its protocol: `hello` as an internal client (a random text and its
//! HMAC), then `message` to a session. Internal, so that no Nextcloud has to vouch for each peer. Others send to the
//! session ID that the server gives out, so that is the address. It is no room's member and knows no media server.

use anyhow::ensure;
use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;

use super::{
    Broken, Driver, Greeting, Heard, Link, Promises, Refusal, Who, Word,
    websocket::{self, Opened, Wire, within_greeting},
};

/// Stands for the Nextcloud that a peer belongs to; the server compares it and asks it nothing.
const BACKEND: &str = "http://127.0.0.1";

/// Servers, one address each; peers of different addresses hear each other if the servers share a NATS.
pub(crate) struct Spreed {
    urls: Vec<String>,
    key: hmac::Key,
}

impl Spreed {
    /// For addresses such as `ws://127.0.0.1:8080/spreed`, at least one, and the servers' `internalsecret`.
    pub(crate) fn new(urls: Vec<String>, secret: &[u8]) -> anyhow::Result<Self> {
        ensure!(!urls.is_empty(), "the driver spreed needs at least one URL");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok(Self { urls, key })
    }

    fn hello(&self) -> String {
        let random: [u64; 4] = rand::random();
        let random: String = random.iter().map(|word| format!("{word:016x}")).collect();
        let tag = hmac::sign(&self.key, random.as_bytes());
        let token: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let params = serde_json::json!({ "random": random, "token": token, "backend": BACKEND });
        let auth = serde_json::json!({ "type": "internal", "params": params });
        let hello = serde_json::json!({ "version": "1.0", "auth": auth });
        serde_json::json!({ "id": "hello", "type": "hello", "hello": hello }).to_string()
    }
}

/// A session.
pub(crate) struct SpreedLink {
    wire: Wire,
    sent: u64,
    ended: bool,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    hello: Option<Hello>,
    #[serde(default)]
    error: Option<ServerError>,
    #[serde(default)]
    message: Option<Incoming>,
}

#[derive(Deserialize)]
struct Hello {
    sessionid: String,
}

#[derive(Deserialize)]
struct ServerError {
    code: String,
}

#[derive(Deserialize)]
struct Incoming {
    sender: Sender,
    data: Box<RawValue>,
}

#[derive(Deserialize)]
struct Sender {
    sessionid: String,
}

impl Driver for Spreed {
    type Link = SpreedLink;

    fn promises(&self) -> Promises {
        Promises::RELAYS
    }

    fn nodes(&self) -> usize {
        self.urls.len()
    }

    async fn connect(&self, who: &Who) -> Result<(Self::Link, Greeting), Refusal> {
        let url = who.pick(&self.urls)?;
        let Opened {
            mut wire,
            connect,
            asked,
        } = websocket::open(url, who.source).await?;
        let address = within_greeting(greet(&mut wire, self.hello())).await?;
        let greeting = Greeting {
            address,
            node: None,
            connect,
            authenticate: asked.elapsed(),
        };
        let link = SpreedLink {
            wire,
            sent: 0,
            ended: false,
        };
        Ok((link, greeting))
    }
}

async fn greet(wire: &mut Wire, hello: String) -> Result<String, Refusal> {
    let asked = wire.send(hello).await;
    asked.map_err(|Broken| Refusal("connection closed".into()))?;
    loop {
        let text = wire.hear().await.map_err(Refusal)?;
        let Ok(envelope) = serde_json::from_str::<Envelope>(&text) else {
            return Err(Refusal("not the protocol".into()));
        };
        if let Some(error) = envelope.error {
            return Err(Refusal(error.code));
        }
        if let Some(hello) = envelope.hello {
            return Ok(hello.sessionid);
        }
        // Newer servers say `welcome` before they are asked.
    }
}

/// What a text means; `None` for events of rooms and the like.
fn meaning(text: &str) -> Option<Heard> {
    let envelope: Envelope = serde_json::from_str(text).ok()?;
    if let Some(error) = envelope.error {
        let id = envelope.id?.parse().ok()?;
        let word = Word::Failed(error.code);
        return Some(Heard::Word { id, word });
    }
    let message = envelope.message?;
    Some(Heard::Message {
        from: Some(message.sender.sessionid),
        payload: message.data,
    })
}

impl Link for SpreedLink {
    async fn send(&mut self, _kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        if self.ended {
            return Err(Broken);
        }
        self.sent += 1;
        let to = serde_json::Value::from(to);
        let recipient = format!(r#"{{"type":"session","sessionid":{to}}}"#);
        let text = format!(
            r#"{{"id":"{}","type":"message","message":{{"recipient":{recipient},"data":{}}}}}"#,
            self.sent,
            payload.get()
        );
        self.wire.send(text).await?;
        Ok(self.sent)
    }

    async fn next(&mut self) -> Heard {
        if self.ended {
            return std::future::pending().await;
        }
        loop {
            match self.wire.hear().await {
                Ok(text) => {
                    if let Some(heard) = meaning(&text) {
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

    async fn close(self) {
        self.wire.close().await;
    }
}
