//! A WebSocket connection by hand: it sends what no library sends, and reads only if it is asked to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use anyhow::Context as _;
use switchboard_testkit::{PATIENCE, token};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// Opcodes (RFC 6455, section 11.8).
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const PING: u8 = 9;

/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How a raw connection is made.
pub(crate) struct RawOptions {
    port: u16,
    from: IpAddr,
    token: String,
    /// Bytes that the kernel takes for a client that does not read.
    pub(crate) receive_bytes: Option<u32>,
    /// More of the query, for example `&acks=client`.
    pub(crate) query: String,
}

impl RawOptions {
    pub(crate) fn new(port: u16, from: IpAddr, peer: &str) -> Self {
        Self {
            port,
            from,
            token: token(peer)
                .map(|token| token.expose().to_owned())
                .unwrap_or_default(),
            receive_bytes: None,
            query: String::new(),
        }
    }
}

/// An upgraded connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// Connects and reads the head of the answer, not the `welcome`.
    pub(crate) async fn connect(options: &RawOptions) -> anyhow::Result<Self> {
        let mut stream = dial(options.port, options.from, options.receive_bytes).await?;
        let head = format!(
            "GET /v1/ws?{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {}\r\n\r\n",
            options.query, options.token
        );
        stream.write_all(head.as_bytes()).await?;
        let status = timeout(PATIENCE, read_status(&mut stream)).await??;
        anyhow::ensure!(status == 101, "the handshake is answered {status}");
        Ok(Self { stream })
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads until a part of what comes is `text`; `false` if the connection ends before.
    pub(crate) async fn read_until(&mut self, text: &str) -> bool {
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
pub(crate) async fn dial(port: u16, from: IpAddr, receive_bytes: Option<u32>) -> anyhow::Result<TcpStream> {
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
pub(crate) async fn read_status(stream: &mut TcpStream) -> anyhow::Result<u16> {
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
pub(crate) fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
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
pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(TEXT, true, text.as_bytes())
}
