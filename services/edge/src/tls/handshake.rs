//! The handshake of one TLS connection, up to its first plaintext. A client that sends nothing costs its socket alone, and
//! one that speaks plain HTTP gets a sentence. Not how long it may take, and not how many there are (`listener`).

use std::{future::poll_fn, io, sync::Arc};

use bytes::BufMut as _;
use rustls::{ServerConfig, server::UnbufferedServerConnection};
use socket2::SockRef;
use tokio::{net::TcpStream, sync::Semaphore};

use crate::{
    problem::Problem,
    stream::tls::{MAX_HELD_BYTES, TlsStream},
};

/// The first byte of a client's first record (RFC 8446, section 5.1).
pub(crate) const HANDSHAKE_RECORD: u8 = 22;

/// Bytes asked for in one read; a ClientHello has 250 to 2,000.
const READ_BYTES: usize = 2048;

/// Why a connection has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It ended before its first byte, as one of a health check does.
    #[error("the connection ended before its first byte")]
    Empty,
    /// Its first byte is none of TLS.
    #[error("the client does not speak TLS")]
    NotTls,
    /// It ended or failed within the handshake.
    #[error("the connection ended within the handshake: {0}")]
    Lost(#[from] io::Error),
    /// Client and node cannot agree, or the client's certificate is missing or not trusted.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
    /// A message of the client is longer than the node keeps.
    #[error("a message of the handshake is longer than {MAX_HELD_BYTES} bytes")]
    TooLong,
}

/// Does the handshake as the server, with `config`. It computes only with a place in `computing`.
pub(super) async fn accept(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    computing: &Semaphore,
) -> Result<TlsStream, HandshakeError> {
    let mut held = Vec::new();
    if read(&tcp, &mut held).await? == 0 {
        return Err(HandshakeError::Empty);
    }
    if held.first() != Some(&HANDSHAKE_RECORD) {
        if held.first().is_some_and(u8::is_ascii_uppercase) {
            // The socket's buffer is empty; should it take nothing all the same, the close says enough.
            let _ = SockRef::from(&tcp).send(&https_needed().into_bytes());
        }
        return Err(HandshakeError::NotTls);
    }
    let mut stream = TlsStream::new(tcp, UnbufferedServerConnection::new(config)?, held);
    loop {
        let advanced = {
            let _place = computing.acquire().await;
            stream.advance()
        };
        let sent = poll_fn(|cx| stream.poll_send(cx)).await;
        advanced?;
        sent?;
        if !stream.is_handshaking() {
            return Ok(stream);
        }
        if stream.held().len() >= MAX_HELD_BYTES {
            return Err(HandshakeError::TooLong);
        }
        if read_on(&mut stream).await? == 0 {
            return Err(HandshakeError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Appends what arrives next to what the stream holds.
async fn read_on(stream: &mut TlsStream) -> io::Result<usize> {
    let mut held = std::mem::take(stream.held());
    let read = read(stream.tcp(), &mut held).await;
    *stream.held() = held;
    read
}

/// Appends what arrives next to `held`, which has no room before that. The number of bytes; 0 at the end.
async fn read(tcp: &TcpStream, held: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        tcp.readable().await?;
        let room = READ_BYTES.min(MAX_HELD_BYTES.saturating_sub(held.len()));
        held.reserve_exact(room);
        match tcp.try_read_buf(&mut (&mut *held).limit(room)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

fn https_needed() -> Problem {
    Problem::bad_request(
        "tls-needed",
        "this port speaks TLS; connect with https:// or wss://",
    )
}
