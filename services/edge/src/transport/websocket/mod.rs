//! WebSocket (RFC 6455) as a transport: the endpoint, and its frames for the connection's loop.

pub(crate) mod close;
mod frame;
pub(crate) mod handshake;
pub(crate) mod input;
mod mask;
mod message;
pub(crate) mod reader;
mod socket;

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use switchboard_protocol::codec::Codec;
use switchboard_telemetry::Transport as Label;
use tokio::time::timeout;

use crate::{
    admission, attach,
    connection::{
        end::{ClientClose, ConnectionEnd},
        frame::Frame,
        transport::Transport,
    },
    state::Edge,
    stream::buffered::{BufferedStream, BytesMoved},
    takeover::Takeover,
};
use input::Input;
use socket::{Socket, SocketError};

/// How long the `101` may take to leave.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers the handshake of a client that speaks the codec `C`; a refused request never upgrades.
pub(crate) async fn connect<C: Codec>(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match admission::admit(&edge, &parts, handshake::accept::<C>).await {
        Ok((admitted, mut response)) => {
            let message_bytes = edge.router.limits().message_bytes;
            let admitted = Box::new(admitted);
            response.extensions_mut().insert(Takeover::new(move |stream| {
                let opening = Upgrading::new(stream, message_bytes);
                let connections = edge.connections.clone();
                connections.spawn(attach::serve::<WebSocket, C>(admitted, opening));
            }));
            response
        }
        Err(refusal) => refusal.counted(&edge).into_response(),
    }
}

/// A connection whose `101` waits in the buffer of its stream.
pub(crate) struct Upgrading {
    stream: BufferedStream,
    /// The largest message that the client may send.
    message_bytes: usize,
}

impl Upgrading {
    pub(crate) const fn new(stream: BufferedStream, message_bytes: usize) -> Self {
        Self {
            stream,
            message_bytes,
        }
    }
}

/// A WebSocket straight on its stream.
pub(crate) struct WebSocket(Socket);

impl WebSocket {
    /// Buffers a binary frame, which only the echo of the conformance tests sends.
    pub(crate) fn write_binary(&mut self, payload: &[u8]) {
        frame::binary(self.0.stream().gathered(), payload);
    }

    /// The frame that an input is for the loop. Answers to control frames are buffered here.
    fn frame(&mut self, input: Input) -> Result<Frame, ConnectionEnd> {
        Ok(match input {
            Input::Text(text) => Frame::Text(text),
            Input::Binary(bytes) => Frame::Binary(bytes),
            Input::Oversized(beginning) => Frame::Oversized(beginning),
            Input::Fragment(bytes) => Frame::Fragment(bytes),
            Input::Ping(payload) => {
                frame::pong(self.0.stream().gathered(), &payload);
                Frame::Ping
            }
            Input::Pong => Frame::Pong,
            Input::Close(payload) => {
                self.0.stop_reading();
                let code =
                    close::code_of(&payload).map_err(|error| close::end_of(SocketError::Read(error)))?;
                frame::close(self.0.stream().gathered(), code, "");
                Frame::Close(ClientClose::of(code))
            }
        })
    }
}

impl Transport for WebSocket {
    const LABEL: Label = Label::WebSocket;

    type Opening = Upgrading;

    async fn open(opening: Upgrading) -> Option<Self> {
        let mut socket = Socket::new(opening.stream, opening.message_bytes);
        timeout(UPGRADE_TIMEOUT, socket.stream().flush())
            .await
            .ok()?
            .ok()?;
        Some(Self(socket))
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, ConnectionEnd>> {
        Poll::Ready(match ready!(self.0.poll_input(cx)) {
            Ok(input) => self.frame(input),
            Err(error) => Err(close::end_of(error)),
        })
    }

    fn bytes_moved(&self) -> BytesMoved {
        self.0.stream_ref().moved()
    }

    fn has_room(&self) -> bool {
        self.0.stream_ref().has_room()
    }

    fn write_text(&mut self, _seq: Option<u64>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        frame::text(self.0.stream().gathered(), write)
    }

    fn write_ping(&mut self) {
        frame::ping(self.0.stream().gathered());
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>> {
        self.0.stream().poll_flush(cx).map_err(|_| ConnectionEnd::Lost)
    }

    async fn close(self, end: ConnectionEnd) {
        close::finish(self.0, end).await;
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::codec::native::Native;

    use super::*;

    /// Bytes of the future that a function makes.
    fn future_bytes<A, B, F: Future>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connections_task_stays_small() {
        // Futures inline their widest branch: one rare `await` that is not boxed costs every idle connection. Up to 784 bytes,
        // the task with what tokio adds (112) is an allocation of 896; the next class has 1,024.
        let bytes = future_bytes(attach::serve::<WebSocket, Native>);
        assert!(bytes <= 784, "{bytes} bytes");
    }
}
