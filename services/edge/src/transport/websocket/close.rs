//! How a WebSocket says the end: the close handshake of RFC 6455, section 7, to its last byte. A handler that
//! returns right after its close frame leaves the client with an unclean close.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use switchboard_protocol::CloseCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode as WireCode},
};

use super::upgrade::Socket;
use crate::connection::end::{ClientClose, ConnectionEnd, PROTOCOL_ERROR};

/// How long the client may take to answer a close frame, and to hang up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes read and thrown away at a time while waiting for the client to hang up.
const SCRATCH_BYTES: usize = 512;

/// Bytes thrown away before the stream is dropped all the same.
const MAX_SCRATCH_BYTES: usize = 1 << 20;

/// What a client's close frame means.
pub(super) fn client_close(frame: Option<&CloseFrame>) -> ClientClose {
    match frame.map(|frame| frame.code) {
        Some(WireCode::Normal) => ClientClose::Done,
        Some(WireCode::Away) => ClientClose::Left,
        Some(_) | None => ClientClose::Failed,
    }
}

/// What a failed read or write means.
pub(crate) fn end_of(error: &Error) -> ConnectionEnd {
    match error {
        Error::Capacity(_) => ConnectionEnd::ByNode(CloseCode::TooLarge),
        Error::Utf8(_) => ConnectionEnd::ByNode(CloseCode::BadUtf8),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => ConnectionEnd::Lost,
        Error::Protocol(_) => ConnectionEnd::ProtocolError,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => ConnectionEnd::Lost,
    }
}

/// The close frame that tells the client of `end`, if the node begins the close.
fn close_frame(end: ConnectionEnd) -> Option<CloseFrame> {
    let (code, reason) = match end {
        ConnectionEnd::ByNode(code) => (code.code(), code.reason()),
        ConnectionEnd::ProtocolError => (PROTOCOL_ERROR, "a frame was not as RFC 6455 wants it"),
        ConnectionEnd::ByClient(_) | ConnectionEnd::Lost => return None,
    };
    Some(CloseFrame {
        code: WireCode::from(code),
        reason: reason.into(),
    })
}

/// Ends `socket` as `end` asks, within twice [`CLOSE_TIMEOUT`].
pub(super) async fn finish(mut socket: Socket, end: ConnectionEnd) {
    if end == ConnectionEnd::Lost {
        return;
    }
    let handshake = async {
        if let Some(frame) = close_frame(end) {
            socket.send(Message::Close(Some(frame))).await?;
        }
        // Reads on until both close frames have passed; this also writes the answer to the client's.
        while socket.next().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    };
    let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    let _ = timeout(CLOSE_TIMEOUT, hang_up(socket)).await;
}

/// Closes this half and waits for the client's: closing with unread bytes would reset the connection, and the reset
/// could overtake the close frame.
async fn hang_up(mut socket: Socket) -> std::io::Result<()> {
    let _ = socket.flush().await;
    let buffered = socket.get_mut();
    // Of the buffered stream: tungstenite ends a server's handshake without a flush, so the answer to the client's
    // close frame may still be in the buffer.
    buffered.shutdown().await?;
    let stream = buffered.stream();
    let mut scratch = [0; SCRATCH_BYTES];
    let mut thrown_away = 0;
    while thrown_away < MAX_SCRATCH_BYTES {
        match stream.read(&mut scratch).await? {
            0 => break,
            count => thrown_away += count,
        }
    }
    Ok(())
}
