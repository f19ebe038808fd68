//! One connection of a peer. The caller takes frames one by one. A call that awaits one frame buffers the others,
//! within a bound, for later calls.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use switchboard_protocol::{
    CloseCode, Command, Event, MessageKind, ReceiptStatus, Secret, SendCommand, SendTarget, ServerFrame,
    ServerMessage, Welcome, decode_event, encode_command,
};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, protocol::CloseFrame};

use crate::{
    ClientError, ConnectError, ConnectOptions, SendReport,
    connect::{self, Socket},
};

/// How long a close handshake may take.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the node may take to end the TCP connection after both close frames.
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// The close code that stands for "no close frame" (RFC 6455, section 7.1.5).
pub(crate) const NO_CLOSE_FRAME: u16 = 1006;

/// How long the parts of connecting took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Until TCP was connected, including the name resolution.
    pub connect: Duration,
    /// From then until `welcome`: TLS, the upgrade with the token, and the confirmed subscription.
    pub authenticate: Duration,
}

/// A connected peer.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    welcome: Box<Welcome>,
    handshake: Handshake,
    buffered: VecDeque<ServerFrame>,
    max_buffered: usize,
    last_id: u64,
}

impl Client {
    /// Connects and waits for `welcome`.
    ///
    /// # Errors
    /// [`ConnectError`]; a refusal carries the node's problem document.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        timeout(options.timeout, Self::connect_without_timeout(options))
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    async fn connect_without_timeout(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let start = Instant::now();
        let (mut socket, connect) = connect::open(options).await?;
        match next_frame(&mut socket).await {
            Ok(ServerFrame::Event(Event::Welcome(welcome))) => {
                let max_buffered = options.buffered_frames;
                Ok(Self {
                    socket,
                    welcome,
                    handshake: Handshake {
                        connect,
                        authenticate: start.elapsed().saturating_sub(connect),
                    },
                    buffered: VecDeque::new(),
                    max_buffered,
                    last_id: 0,
                })
            }
            Ok(other) => Err(ConnectError::NoWelcome(format!("{other:?}"))),
            Err(error) => Err(ConnectError::NoWelcome(error.to_string())),
        }
    }

    /// The socket, the `welcome` and the times, of a client that has read nothing yet.
    pub(crate) fn into_parts(self) -> (Socket, Box<Welcome>, Handshake) {
        (self.socket, self.welcome, self.handshake)
    }

    /// The node's `welcome`.
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

    /// Sends a message. With an `id` its outcome comes as a frame.
    ///
    /// # Errors
    /// [`ClientError`] when the connection is lost.
    pub async fn send(
        &mut self,
        kind: MessageKind,
        to: &str,
        id: Option<u64>,
        payload: &RawValue,
    ) -> Result<(), ClientError> {
        let send = SendCommand {
            kind,
            to: SendTarget::Peer(to.into()),
            payload,
            id,
            hold_ms: None,
        };
        self.command(&Command::Send(send)).await
    }

    /// Sends any command.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn command(&mut self, command: &Command<'_>) -> Result<(), ClientError> {
        self.send_text(encode_command(command)).await
    }

    /// Sends a text frame unchanged.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), ClientError> {
        self.send_frame(Message::text(text.into())).await
    }

    /// Sends any WebSocket message, for tests of invalid input.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_frame(&mut self, message: Message) -> Result<(), ClientError> {
        self.socket.send(message).await.map_err(client_error)
    }

    /// Sends a message and waits for its outcome. Other frames are buffered.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] without an outcome in time; otherwise as [`Client::send`].
    pub async fn send_and_confirm(
        &mut self,
        kind: MessageKind,
        to: &str,
        payload: &RawValue,
        within: Duration,
    ) -> Result<SendReport, ClientError> {
        let id = self.next_id();
        self.send(kind, to, Some(id), payload).await?;
        self.outcome_of(id, within).await
    }

    /// Waits for the outcome of the send `id`. Other frames are buffered.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`].
    pub async fn outcome_of(&mut self, id: u64, within: Duration) -> Result<SendReport, ClientError> {
        self.expect(within, |frame| match frame {
            ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => match status {
                ReceiptStatus::Queued => None,
                ReceiptStatus::Delivered => Some(SendReport::delivered()),
                ReceiptStatus::Published => Some(SendReport::published()),
            },
            ServerFrame::Event(Event::Error {
                id: Some(of),
                code,
                message,
                ..
            }) if *of == id => Some(SendReport::failed(*code, message.to_string())),
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        })
        .await
    }

    /// Waits for the next message of a peer. Other frames are buffered.
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

    /// Sends a newer token for this connection and waits for the answer.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`].
    pub async fn renew(&mut self, token: &Secret, within: Duration) -> Result<Event, ClientError> {
        let id = self.next_id();
        let (token, id) = (token.expose().into(), Some(id));
        self.request(&Command::Renew { token, id }, within).await
    }

    /// Sends a command and waits for its answer: the event with its `id`. Other frames are buffered. Not for sends,
    /// whose first answer may be `queued`.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`]. A command without an `id` has no answer.
    pub async fn request(&mut self, command: &Command<'_>, within: Duration) -> Result<Event, ClientError> {
        self.command(command).await?;
        self.expect(within, |frame| match frame {
            ServerFrame::Event(event) if event.id().is_some() && event.id() == command.id() => {
                Some(event.clone())
            }
            ServerFrame::Event(_) | ServerFrame::Message(_) => None,
        })
        .await
    }

    /// Waits for the first frame that `wanted` accepts. Other frames are buffered for later calls.
    ///
    /// # Errors
    /// As [`Client::send_and_confirm`]; [`ClientError::BufferFull`] when the buffer is full.
    pub async fn expect<T>(
        &mut self,
        within: Duration,
        mut wanted: impl FnMut(&ServerFrame) -> Option<T>,
    ) -> Result<T, ClientError> {
        let found = self
            .buffered
            .iter()
            .enumerate()
            .find_map(|(index, frame)| Some((index, wanted(frame)?)));
        if let Some((index, found)) = found {
            self.buffered.remove(index);
            return Ok(found);
        }
        let deadline = Instant::now() + within;
        loop {
            let frame = timeout_at(deadline, next_frame(&mut self.socket)).await;
            let frame = frame.map_err(|_| ClientError::Timeout)??;
            if let Some(found) = wanted(&frame) {
                return Ok(found);
            }
            if self.buffered.len() >= self.max_buffered {
                return Err(ClientError::BufferFull(self.max_buffered));
            }
            self.buffered.push_back(frame);
        }
    }

    /// The next frame, buffered or new.
    ///
    /// # Errors
    /// [`ClientError::Closed`] with the node's close code.
    pub async fn next(&mut self) -> Result<ServerFrame, ClientError> {
        match self.buffered.pop_front() {
            Some(frame) => Ok(frame),
            None => next_frame(&mut self.socket).await,
        }
    }

    /// The next frame, if one comes within `within`. Pings are answered.
    ///
    /// # Errors
    /// As [`Client::next`], and [`ClientError::Timeout`].
    pub async fn next_within(&mut self, within: Duration) -> Result<ServerFrame, ClientError> {
        timeout(within, self.next())
            .await
            .map_err(|_| ClientError::Timeout)?
    }

    /// Waits until the node closes the connection. Returns its code and reason, and drops the frames before.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if the node does not close in time.
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

    /// Closes the connection with a complete close handshake. That ends the session.
    pub async fn close(mut self) {
        let handshake = async {
            self.socket.close(Some(good_bye())).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<(), Error>(())
        };
        let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    }
}

/// The close frame that ends a session. Any other end of a connection keeps the session for a while.
pub(crate) fn good_bye() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Normal.code().into(),
        reason: Utf8Bytes::default(),
    }
}

async fn next_frame(socket: &mut Socket) -> Result<ServerFrame, ClientError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(decode_event(&text)?),
            Some(Ok(Message::Close(frame))) => {
                // Reading on writes the answer and waits for the node to end TCP (RFC 6455, section 7.1.1).
                let hang_up = async { while socket.next().await.is_some_and(|read| read.is_ok()) {} };
                let _ = timeout(HANG_UP_TIMEOUT, hang_up).await;
                return Err(closed_error(frame));
            }
            // tungstenite answers pings at the next read or write.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(client_error(error)),
            None => return Err(closed_error(None)),
        }
    }
}

fn closed_error(frame: Option<CloseFrame>) -> ClientError {
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
fn client_error(error: Error) -> ClientError {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => closed_error(None),
        other => ClientError::WebSocket(Box::new(other)),
    }
}
