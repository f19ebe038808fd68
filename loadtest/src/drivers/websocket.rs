//! A WebSocket to a rival: opened from a chosen source address, then text in both ways. It knows no protocol and
//! never reconnects. Plain `ws://` only: the rivals run on the generator's machine.

use std::{
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, Utf8Bytes, client::IntoClientRequest as _, http::Request, protocol::WebSocketConfig,
    },
};

use super::{Broken, Greeting, Refusal};

/// A greeting that takes longer is a refusal.
pub(super) const GREETING_TIME: Duration = Duration::from_secs(30);
/// A close in good order takes no longer.
pub(super) const CLOSE_TIME: Duration = Duration::from_secs(2);
/// Bytes read at once; small, as there are thousands of connections and a signaling message is small.
const READ_BUFFER_BYTES: usize = 4096;
/// Bytes gathered before a write.
const WRITE_BUFFER_BYTES: usize = 4096;
/// Bytes unsent at which a send fails instead of waiting.
const MAX_UNSENT_BYTES: usize = 4 << 20;
/// Bytes of the largest message taken.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// An open WebSocket.
pub(super) struct Wire {
    socket: WebSocketStream<TcpStream>,
    /// What [`Wire::receive`] is to send first, for example the answer to a ping; at most one per message received.
    owed: VecDeque<Utf8Bytes>,
    unflushed: bool,
}

/// A WebSocket just opened, and its times.
pub(super) struct Opened {
    pub(super) wire: Wire,
    pub(super) times: Times,
}

/// How long TCP took to connect, and when the upgrade was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times(Duration, Instant);

impl Times {
    /// The result of the connect, if messages can come from now on.
    pub(super) fn greeting(self, address: String, node: Option<String>) -> Greeting {
        let (connect, authenticate) = (self.0, self.1.elapsed());
        Greeting {
            address,
            node,
            connect,
            authenticate,
        }
    }
}

/// Connects to `url` from `source` and upgrades, within [`GREETING_TIME`].
pub(super) async fn open(url: &str, source: Option<IpAddr>) -> Result<Opened, Refusal> {
    let request = url
        .into_client_request()
        .map_err(|_| Refusal("the target's URL is no WebSocket URL".into()))?;
    if request.uri().scheme_str() != Some("ws") {
        return Err(Refusal("a rival is loaded over ws:// only".into()));
    }
    within_greeting(upgrade(request, source)).await
}

async fn upgrade(request: Request<()>, source: Option<IpAddr>) -> Result<Opened, Refusal> {
    let started = Instant::now();
    let host = request.uri().host().unwrap_or_default();
    let port = request.uri().port_u16().unwrap_or(80);
    let tcp = dial(host, port, source).await?;
    let asked = Instant::now();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_UNSENT_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let opened = client_async_with_config(request, tcp, Some(config)).await;
    let (socket, _) = opened.map_err(|error| Refusal(format!("upgrade: {}", reason(&error))))?;
    Ok(Opened {
        wire: Wire {
            socket,
            owed: VecDeque::new(),
            unflushed: false,
        },
        times: Times(asked - started, asked),
    })
}

/// TCP to `host:port` from `source`, without Nagle's delay.
pub(super) async fn dial(host: &str, port: u16, source: Option<IpAddr>) -> Result<TcpStream, Refusal> {
    let refused = |error: std::io::Error| Refusal(format!("tcp: {}", error.kind()));
    let mut addresses = lookup_host((host.trim_matches(['[', ']']), port))
        .await
        .map_err(refused)?;
    let address = addresses
        .next()
        .ok_or_else(|| Refusal("the target's host has no address".into()))?;
    let tcp = switchboard_client::dial(address, source).await.map_err(refused)?;
    tcp.set_nodelay(true).map_err(refused)?;
    Ok(tcp)
}

/// Bounds one step of a greeting by [`GREETING_TIME`].
pub(super) async fn within_greeting<T>(step: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let late = || Refusal(format!("no greeting within {} s", GREETING_TIME.as_secs()));
    timeout(GREETING_TIME, step).await.map_err(|_| late())?
}

impl Wire {
    /// Sends one text and flushes it.
    pub(super) async fn send(&mut self, text: String) -> Result<(), Broken> {
        self.socket.send(Message::text(text)).await.map_err(|_| Broken)
    }

    /// Sends the first text of a greeting.
    pub(super) async fn ask(&mut self, text: String) -> Result<(), Refusal> {
        let asked = self.send(text).await;
        asked.map_err(|Broken| Refusal("connection closed".into()))
    }

    /// Has `text` sent by the next [`Wire::receive`]; so a dropped future loses no text.
    pub(super) fn owe(&mut self, text: impl Into<Utf8Bytes>) {
        self.owed.push_back(text.into());
    }

    /// The next text, or why there is none any more. Nothing is lost when the future is dropped.
    pub(super) async fn receive(&mut self) -> Result<Utf8Bytes, String> {
        loop {
            self.settle().await.map_err(|error| reason(&error))?;
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    return Err(format!("closed by the server: {code}"));
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(reason(&error)),
                None => return Err("connection closed".into()),
            }
        }
    }

    async fn settle(&mut self) -> tungstenite::Result<()> {
        while let Some(text) = self.owed.front() {
            self.socket.feed(Message::Text(text.clone())).await?;
            // No await between the two: it is either still owed or in the socket's buffer.
            self.owed.pop_front();
            self.unflushed = true;
        }
        if self.unflushed {
            self.socket.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Says goodbye and waits a little for the answer.
    pub(super) async fn close(mut self) {
        let goodbye = async {
            // An error here means that the other side went first.
            if self.socket.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        // A server that does not answer in time gets no goodbye.
        let _ = timeout(CLOSE_TIME, goodbye).await;
    }
}

/// An error in a few words, without names that clients choose.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest is named alike"
)]
fn reason(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => format!("io: {}", error.kind()),
        tungstenite::Error::Http(response) => format!("http {}", response.status().as_u16()),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            "connection closed".into()
        }
        tungstenite::Error::Protocol(error) => format!("websocket: {error}"),
        tungstenite::Error::Capacity(_) => format!("a message above {MAX_MESSAGE_BYTES} bytes"),
        _ => "websocket error".into(),
    }
}
