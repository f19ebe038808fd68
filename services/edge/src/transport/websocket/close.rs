//! How a WebSocket ends: the close handshake of RFC 6455, section 7, to its last byte. A handler that returns right after
//! its close frame leaves the client with an unclean close.

use std::{future::poll_fn, time::Duration};

use tokio::{io::AsyncReadExt as _, time::timeout};

use super::{
    frame,
    input::{Input, ReadError},
    socket::{Socket, SocketError},
};
use crate::connection::end::{ConnectionEnd, PROTOCOL_ERROR};
use switchboard_protocol::CloseCode;

/// How long the client may take to answer a close frame, and to hang up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Frames read while the client's answer to a close frame is awaited.
const MAX_CLOSING_FRAMES: usize = 1024;

/// Bytes read and thrown away at a time while waiting for the client to hang up.
const SCRATCH_BYTES: usize = 4096;

/// Bytes thrown away before the stream is dropped all the same.
const MAX_SCRATCH_BYTES: usize = 2 << 20;

/// The code of a client's close frame, if it has one.
pub(crate) fn code_of(payload: &[u8]) -> Result<Option<u16>, ReadError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        // One byte is half a code.
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(ReadError::Protocol)
        };
    };
    let code = u16::from_be_bytes(*code);
    // RFC 6455, section 7.4: the others are reserved, or must not be sent.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(ReadError::Protocol);
    }
    std::str::from_utf8(reason)
        .map(|_| Some(code))
        .map_err(|_| ReadError::Utf8)
}

/// What a failed read means.
pub(super) const fn end_of(error: SocketError) -> ConnectionEnd {
    match error {
        SocketError::Lost => ConnectionEnd::Lost,
        SocketError::Read(ReadError::Protocol) => ConnectionEnd::ProtocolError,
        SocketError::Read(ReadError::TooLarge) => ConnectionEnd::ByNode(CloseCode::TooLarge),
        SocketError::Read(ReadError::Utf8) => ConnectionEnd::ByNode(CloseCode::BadUtf8),
    }
}

/// Code and reason of the close frame that informs the client of `end`, if the node begins the close.
const fn close_frame(end: ConnectionEnd) -> Option<(u16, &'static str)> {
    match end {
        ConnectionEnd::ByNode(code) => Some((code.code(), code.reason())),
        ConnectionEnd::ProtocolError => Some((PROTOCOL_ERROR, "a frame was not as RFC 6455 wants it")),
        ConnectionEnd::ByClient(_) | ConnectionEnd::Lost => None,
    }
}

/// Ends `socket` as `end` asks, within twice [`CLOSE_TIMEOUT`].
pub(super) async fn finish(mut socket: Socket, end: ConnectionEnd) {
    if end == ConnectionEnd::Lost {
        return;
    }
    let _ = timeout(CLOSE_TIMEOUT, handshake(&mut socket, end)).await;
    let _ = timeout(CLOSE_TIMEOUT, hang_up(socket)).await;
}

/// Sends the node's close frame, if it has one to send, and reads on to the client's. The answer to a client's close frame
/// is gathered already.
async fn handshake(socket: &mut Socket, end: ConnectionEnd) {
    let begins = close_frame(end);
    if let Some((code, reason)) = begins {
        frame::close(socket.stream().gathered(), Some(code), reason);
    }
    if socket.stream().flush().await.is_err() || begins.is_none() {
        return;
    }
    for _ in 0..MAX_CLOSING_FRAMES {
        if socket.is_broken() {
            return;
        }
        if let Ok(Input::Close(_)) | Err(_) = poll_fn(|cx| socket.poll_input(cx)).await {
            return;
        }
    }
}

/// Closes this half and waits for the client's: closing with unread bytes would reset the connection, and the reset
/// could overtake the close frame.
async fn hang_up(mut socket: Socket) -> std::io::Result<()> {
    socket.stream().shutdown().await?;
    let stream = socket.stream().stream();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_has_a_code_that_may_be_sent_or_none() {
        assert_eq!(code_of(&[]), Ok(None));
        assert_eq!(code_of(&1001_u16.to_be_bytes()), Ok(Some(1001)));
        assert_eq!(
            code_of(&[&4000_u16.to_be_bytes()[..], b"why"].concat()),
            Ok(Some(4000))
        );
        assert_eq!(code_of(&[3]), Err(ReadError::Protocol));
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            assert_eq!(code_of(&code.to_be_bytes()), Err(ReadError::Protocol), "{code}");
        }
        assert_eq!(
            code_of(&[&1000_u16.to_be_bytes()[..], &[0xff]].concat()),
            Err(ReadError::Utf8)
        );
    }
}
