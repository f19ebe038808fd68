//! A WebSocket connection by hand: it sends what no library sends, and reads only if it is asked to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use anyhow::Context as _;
use switchboard_harness::PATIENCE;
use switchboard_protocol::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::token;

/// The opcode of a further part of a message (RFC 6455, section 11.8).
pub const CONTINUATION: u8 = 0;
/// The opcode of a text, or of its first part.
pub const TEXT: u8 = 1;
/// The opcode of a ping.
pub const PING: u8 = 9;
/// The opcode of a pong.
pub const PONG: u8 = 10;

/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How a raw connection is made.
#[derive(Debug)]
pub struct RawOptions {
    port: u16,
    from: IpAddr,
    token: Secret,
    /// Bytes that the kernel takes for a client that does not read.
    pub receive_bytes: Option<u32>,
    /// More of the query, for example `&acks=client`.
    pub query: String,
}

impl RawOptions {
    /// A connection from the address `from`, with a token of `peer`.
    #[must_use]
    pub fn new(port: u16, from: IpAddr, peer: &str) -> Self {
        Self {
            port,
            from,
            token: token(peer).unwrap_or_default(),
            receive_bytes: None,
            query: String::new(),
        }
    }
}

/// An upgraded connection.
#[derive(Debug)]
pub struct Raw {
    /// What comes behind the head of the answer.
    pub stream: TcpStream,
}

impl Raw {
    /// Connects and reads the head of the answer, not the `welcome`.
    ///
    /// # Errors
    /// When the node refuses, or does not answer in time.
    pub async fn connect(options: &RawOptions) -> anyhow::Result<Self> {
        let mut stream = dial(options.port, options.from, options.receive_bytes).await?;
        let head = format!(
            "GET /v1/ws?{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {}\r\n\r\n",
            options.query,
            options.token.expose()
        );
        stream.write_all(head.as_bytes()).await?;
        let status = timeout(PATIENCE, read_status(&mut stream)).await??;
        anyhow::ensure!(status == 101, "the handshake is answered {status}");
        Ok(Self { stream })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads until a part of what comes is `text`; `false` if the connection ends before.
    pub async fn read_until(&mut self, text: &str) -> bool {
        let mut received = Vec::new();
        loop {
            if received
                .windows(text.len())
                .any(|window| window == text.as_bytes())
            {
                return true;
            }
            // Enough of the end for a text that comes in two parts.
            let keep = received.len().saturating_sub(text.len());
            received.drain(..keep);
            match self.stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        }
    }
}

/// A TCP connection from this address, with this receive buffer.
///
/// # Errors
/// When nobody takes the connection.
pub async fn dial(port: u16, from: IpAddr, receive_bytes: Option<u32>) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4().context("a socket is needed; raise `ulimit -n`")?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(SocketAddr::new(from, 0))?;
    Ok(socket
        .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?)
}

/// Reads an answer up to its empty line, and nothing behind it.
///
/// # Errors
/// When it is no answer over HTTP.
pub async fn read_status(stream: &mut TcpStream) -> anyhow::Result<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < MAX_HEAD_BYTES, "the head of the answer is too long");
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head);
    let status = text.split(' ').nth(1).context("the answer is no HTTP")?;
    Ok(status.parse()?)
}

/// One frame of a client. Its mask is zero, which RFC 6455 allows and which changes no byte.
#[must_use]
pub fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let mut frame = vec![(u8::from(is_final) << 7) | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(MASKED | length),
        (_, Ok(length)) => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// One text frame.
#[must_use]
pub fn text(text: &str) -> Vec<u8> {
    frame(TEXT, true, text.as_bytes())
}
