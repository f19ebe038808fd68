//! How a connection ends: the close handshake of RFC 6455, section 7, to its last byte. A handler that
//! returns right after its close frame leaves the client with an unclean close.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use switchboard_core::OnDisconnect;
use switchboard_protocol::{ClientShould, CloseCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode as WireCode},
};

use crate::upgrade::Socket;

/// How long the client may take to answer a close frame and to hang up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Close code of a frame that breaks RFC 6455 itself; not a code of the Switchboard protocol.
const PROTOCOL_ERROR: u16 = 1002;

/// Bytes read and thrown away at a time while waiting for the client to hang up.
const SCRATCH_BYTES: usize = 512;

/// Bytes thrown away at most before the socket is dropped all the same.
const MOST_SCRATCH_BYTES: usize = 1 << 20;

/// How a connection's loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client is told why with this code.
    Told(CloseCode),
    /// The client broke RFC 6455.
    Broken,
    /// The client sent a close frame; the answer is under way.
    ByClient(Goodbye),
    /// The socket is gone.
    Lost,
}

/// What a client's close frame means for its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// It is over: 1000, 1001, or no code at all.
    ForGood,
    /// Any other code: the client failed and may come back.
    Failed,
}

impl Goodbye {
    pub(crate) fn from_frame(frame: Option<&CloseFrame>) -> Self {
        match frame.map(|frame| frame.code) {
            None | Some(WireCode::Normal | WireCode::Away | WireCode::Status) => Self::ForGood,
            Some(_) => Self::Failed,
        }
    }
}

impl End {
    /// What becomes of the session.
    pub(crate) fn parting(self) -> OnDisconnect {
        match self {
            // The node's own word to a connection whose session goes on elsewhere.
            Self::Told(CloseCode::Normal) => OnDisconnect::Detach,
            Self::Told(code) => match code.client_should() {
                ClientShould::Stop | ClientShould::StopAndFix => OnDisconnect::End,
                ClientShould::Resume | ClientShould::ResumeAtOnce | ClientShould::RenewToken => {
                    OnDisconnect::Detach
                }
            },
            Self::ByClient(Goodbye::ForGood) | Self::Broken => OnDisconnect::End,
            Self::ByClient(Goodbye::Failed) | Self::Lost => OnDisconnect::Detach,
        }
    }

    /// What a failed read means.
    pub(crate) fn from_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Told(CloseCode::TooLarge),
            Error::Utf8(_) => Self::Told(CloseCode::BadUtf8),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => Self::Lost,
            Error::Protocol(_) => Self::Broken,
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Tls(_)
            | Error::WriteBufferFull(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => Self::Lost,
        }
    }

    /// The code under which the end is counted.
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Told(code) => code.code(),
            Self::Broken => PROTOCOL_ERROR,
            Self::ByClient(_) => CloseCode::Normal.code(),
            // RFC 6455, section 7.4.1: no close frame was received.
            Self::Lost => 1006,
        }
    }

    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Told(code) => (code.code(), code.reason()),
            Self::Broken => (PROTOCOL_ERROR, "a frame was not as RFC 6455 wants it"),
            Self::ByClient(_) | Self::Lost => return None,
        };
        Some(CloseFrame {
            code: WireCode::from(code),
            reason: reason.into(),
        })
    }
}

/// Ends `socket` as `end` asks, within twice [`CLOSE_TIMEOUT`].
pub(crate) async fn finish(mut socket: Socket, end: End) {
    if end == End::Lost {
        return;
    }
    let handshake = async {
        if let Some(frame) = end.frame() {
            socket.send(Message::Close(Some(frame))).await?;
        }
        // Reads on until both close frames have passed; this also writes the answer to the client's.
        while socket.next().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    };
    let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    let _ = timeout(CLOSE_TIMEOUT, hang_up(socket)).await;
}

/// Closes our half and waits for the client's: closing with unread bytes would reset the connection, and
/// the reset could overtake the close frame.
async fn hang_up(mut socket: Socket) -> std::io::Result<()> {
    let _ = socket.flush().await;
    let wire = socket.get_mut();
    // Of the wire, not of its TCP socket: tungstenite ends a server's handshake without a flush, so the answer
    // to the client's close frame may still be gathered there.
    wire.shutdown().await?;
    let tcp = wire.tcp();
    let mut scratch = [0; SCRATCH_BYTES];
    let mut thrown_away = 0;
    while thrown_away < MOST_SCRATCH_BYTES {
        match tcp.read(&mut scratch).await? {
            0 => break,
            count => thrown_away += count,
        }
    }
    Ok(())
}
