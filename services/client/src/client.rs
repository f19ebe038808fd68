//! A connected peer. Frames are taken one by one; whoever waits for a certain one keeps the others, within
//! a bound, for later.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use switchboard_protocol::{
    ErrorCode, Event, MessageKind, ReceiptStatus, Secret, ServerFrame, ServerMessage, Welcome, decode_event,
    encode_send,
};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

use crate::{
    ClientError, ConnectError, ConnectOptions,
    connect::{self, Socket},
};

/// How long a close handshake may take.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the node may take to hang up once both close frames have passed.
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// The close code that stands for "no close frame" (RFC 6455, section 7.1.5).
pub(crate) const NO_CLOSE_FRAME: u16 = 1006;

/// The final word on a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It failed.
    Failed {
        /// The reason for programs.
        code: ErrorCode,
        /// The reason for people.
        message: String,
    },
}

/// How long the parts of connecting took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Until TCP was connected, the name's resolution included.
    pub connect: Duration,
    /// From then until `welcome`: TLS, the upgrade with the token, the confirmed subscription.
    pub authenticate: Duration,
}

/// A connected peer.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    welcome: Box<Welcome>,
    handshake: Handshake,
    kept: VecDeque<ServerFrame>,
    most_kept: usize,
    last_id: u64,
}

impl Client {
    /// Connects and waits for `welcome`.
    ///
    /// # Errors
    /// [`ConnectError`]; a refusal carries the node's problem document.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        timeout(options.timeout, Self::connect_now(options))
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    async fn connect_now(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let start = Instant::now();
        let (mut socket, connect) = connect::open(options).await?;
        match next_frame(&mut socket).await {
            Ok(ServerFrame::Event(Event::Welcome(welcome))) => {
                let most_kept = options.inbox_frames;
                Ok(Self {
                    socket,
                    welcome,
                    handshake: Handshake {
                        connect,
                        authenticate: start.elapsed().saturating_sub(connect),
                    },
                    kept: VecDeque::new(),
                    most_kept,
                    last_id: 0,
                })
            }
            Ok(other) => Err(ConnectError::NoWelcome(format!("{other:?}"))),
            Err(error) => Err(ConnectError::NoWelcome(error.to_string())),
        }
    }

    /// The connection itself and what the node said first; of a client that has not read anything yet.
    pub(crate) fn into_parts(self) -> (Socket, Box<Welcome>, Handshake) {
        (self.socket, self.welcome, self.handshake)
    }

    /// What the node said first.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// How long connecting took.
    #[must_use]
    pub fn handshake(&self) -> Handshake {
        self.handshake
    }

    /// The next unused `id`.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a message; with `id` its final word comes as a frame.
    ///
    /// # Errors
    /// [`ClientError`] when the connection is gone.
    pub async fn send(
        &mut self,
        kind: MessageKind,
        to: &str,
        id: Option<u64>,
        payload: &RawValue,
    ) -> Result<(), ClientError> {
        self.send_text(encode_send(kind, to, id, payload)).await
    }

    /// Sends a text frame as it stands.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), ClientError> {
        self.send_frame(Message::text(text.into())).await
    }

    /// Sends any WebSocket message, for tests of what a node does with it.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_frame(&mut self, message: Message) -> Result<(), ClientError> {
        self.socket.send(message).await.map_err(failed)
    }

    /// Sends a message and waits for its final word. Other frames are kept.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] when there is no word in time; as [`Client::send`] otherwise.
    pub async fn send_and_confirm(
        &mut self,
        kind: MessageKind,
        to: &str,
        payload: &RawValue,
        within: Duration,
    ) -> Result<Outcome, ClientError> {
        let id = self.next_id();
        self.send(kind, to, Some(id), payload).await?;
        self.outcome_of(id, within).await
    }

    /// Waits for the final word on the send `id`. Other frames are kept.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`].
    pub async fn outcome_of(&mut self, id: u64, within: Duration) -> Result<Outcome, ClientError> {
        self.expect(within, |frame| match frame {
            ServerFrame::Event(Event::Receipt {
                id: of,
                status: ReceiptStatus::Delivered,
            }) if *of == id => Some(Outcome::Delivered),
            ServerFrame::Event(Event::Error {
                id: Some(of),
                code,
                message,
                ..
            }) if *of == id => Some(Outcome::Failed {
                code: *code,
                message: message.to_string(),
            }),
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        })
        .await
    }

    /// Waits for the next message of a peer. Other frames are kept.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`].
    pub async fn message(&mut self, within: Duration) -> Result<ServerMessage, ClientError> {
        self.expect(within, |frame| match frame {
            ServerFrame::Message(message) => Some(message.clone()),
            ServerFrame::Event(_) => None,
        })
        .await
    }

    /// Asks for a newer token to be used and waits for the answer.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`].
    pub async fn renew(&mut self, token: &Secret, within: Duration) -> Result<Event, ClientError> {
        let id = self.next_id();
        let command = serde_json::json!({ "type": "renew", "id": id, "token": token.expose() });
        self.send_text(command.to_string()).await?;
        self.expect(within, |frame| match frame {
            ServerFrame::Event(event @ (Event::Renewed { id: of, .. } | Event::Error { id: of, .. })) => {
                (*of == Some(id)).then(|| event.clone())
            }
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        })
        .await
    }

    /// Waits for the first frame that `wanted` makes something of. The others are kept for later calls.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`]; [`ClientError::InboxFull`] when too many had to be kept.
    pub async fn expect<T>(
        &mut self,
        within: Duration,
        mut wanted: impl FnMut(&ServerFrame) -> Option<T>,
    ) -> Result<T, ClientError> {
        let found = self
            .kept
            .iter()
            .enumerate()
            .find_map(|(index, frame)| Some((index, wanted(frame)?)));
        if let Some((index, found)) = found {
            self.kept.remove(index);
            return Ok(found);
        }
        let deadline = Instant::now() + within;
        loop {
            let frame = timeout_at(deadline, next_frame(&mut self.socket)).await;
            let frame = frame.map_err(|_| ClientError::Timeout)??;
            if let Some(found) = wanted(&frame) {
                return Ok(found);
            }
            if self.kept.len() >= self.most_kept {
                return Err(ClientError::InboxFull(self.most_kept));
            }
            self.kept.push_back(frame);
        }
    }

    /// The next frame, kept or new.
    ///
    /// # Errors
    /// [`ClientError::Closed`] with the node's code at the end.
    pub async fn next(&mut self) -> Result<ServerFrame, ClientError> {
        match self.kept.pop_front() {
            Some(frame) => Ok(frame),
            None => next_frame(&mut self.socket).await,
        }
    }

    /// The next frame, if one comes within `within`; pings are answered meanwhile.
    ///
    /// # Errors
    /// As [`Client::next`], and [`ClientError::Timeout`].
    pub async fn next_within(&mut self, within: Duration) -> Result<ServerFrame, ClientError> {
        timeout(within, self.next())
            .await
            .map_err(|_| ClientError::Timeout)?
    }

    /// Waits until the node closes the connection; returns its code and reason. Frames before are dropped.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] when it does not.
    pub async fn closed(&mut self, within: Duration) -> Result<(u16, String), ClientError> {
        let until_closed = async {
            loop {
                match next_frame(&mut self.socket).await {
                    Err(ClientError::Closed { code, reason }) => return (code, reason),
                    Err(ClientError::WebSocket(error)) => return (NO_CLOSE_FRAME, error.to_string()),
                    Ok(_) | Err(_) => {}
                }
            }
        };
        timeout(within, until_closed)
            .await
            .map_err(|_| ClientError::Timeout)
    }

    /// Closes the connection with a whole close handshake.
    pub async fn close(mut self) {
        let handshake = async {
            self.socket.close(None).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<(), Error>(())
        };
        let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    }
}

async fn next_frame(socket: &mut Socket) -> Result<ServerFrame, ClientError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(decode_event(&text)?),
            Some(Ok(Message::Close(frame))) => {
                // Reading on writes the answer and waits for the node to hang up, as RFC 6455 wants it.
                let hang_up = async { while socket.next().await.is_some_and(|read| read.is_ok()) {} };
                let _ = timeout(HANG_UP_TIMEOUT, hang_up).await;
                return Err(closed(frame));
            }
            // tungstenite answers pings itself, at the next read or write.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(failed(error)),
            None => return Err(closed(None)),
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> ClientError {
    match frame {
        Some(frame) => ClientError::Closed {
            code: frame.code.into(),
            reason: frame.reason.to_string(),
        },
        None => ClientError::Closed {
            code: NO_CLOSE_FRAME,
            reason: String::new(),
        },
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest is passed on as it is"
)]
fn failed(error: Error) -> ClientError {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => closed(None),
        other => ClientError::WebSocket(Box::new(other)),
    }
}
