//! The TCP socket as the WebSocket codec sees it: writes are gathered, reads run ahead, and neither keeps a
//! buffer while the connection is idle. Not a codec: frames are tungstenite's, but for the two kinds that a
//! node sends most and writes here directly, text and ping (RFC 6455, section 5.2; a server masks nothing).
//!
//! Whole frames are appended to one buffer, by tungstenite (pong, close) as by the connection (text, ping),
//! so they cannot interleave. The codec's own buffers would stay as large as the largest message for ever.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Bytes gathered before they are written: several frames then share one system call.
const GATHER_BYTES: usize = 16 * 1024;

/// Control frames are taken beyond [`GATHER_BYTES`] up to this, then they wait for the socket.
const MOST_GATHERED_BYTES: usize = 32 * 1024;

/// Bytes asked for in one read, into a buffer that all connections of a thread share.
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// First bytes of an unfragmented text frame and of a ping.
const TEXT: u8 = 0x81;
const PING: [u8; 2] = [0x89, 0];

/// The longest payload with a length of one byte, and with one of three.
const SHORT: usize = 125;
const MEDIUM: usize = 0xffff;

/// Bytes of the header of a medium frame, which most are.
const MEDIUM_HEADER: usize = 4;

thread_local! {
    static READ_AHEAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AHEAD_BYTES].into_boxed_slice());
}

/// A TCP socket with gathered writes and reads that run ahead.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: TcpStream,
    out: Vec<u8>,
    written: usize,
    ahead: Vec<u8>,
    taken: usize,
}

impl Wire {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            out: Vec::new(),
            written: 0,
            ahead: Vec::new(),
            taken: 0,
        }
    }

    pub(crate) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Whether another frame may be gathered before the next flush.
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() < GATHER_BYTES
    }

    /// Gathers a text frame; `write` appends its payload, which must be UTF-8.
    pub(crate) fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.out.len();
        self.out.extend_from_slice(&[TEXT, 126, 0, 0]);
        write(&mut self.out);
        let length = self.out.len() - start - MEDIUM_HEADER;
        let (header, header_bytes) = header(length);
        // Mostly the room left is right; a short or a huge payload is moved.
        self.out.splice(
            start..start + MEDIUM_HEADER,
            header.into_iter().take(header_bytes),
        );
        length
    }

    /// Gathers a ping.
    pub(crate) fn ping(&mut self) {
        self.out.extend_from_slice(&PING);
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        READ_AHEAD.with_borrow_mut(|shared| {
            let mut read = ReadBuf::new(shared);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut read))?;
            let (now, later) = read.filled().split_at(buf.remaining().min(read.filled().len()));
            buf.put_slice(now);
            self.ahead = later.to_vec();
            self.taken = 0;
            Poll::Ready(Ok(()))
        })
    }
}

/// The header of a text frame with a payload of that length: bytes, and how many of them.
fn header(length: usize) -> ([u8; 10], usize) {
    let mut header = [0; 10];
    header[0] = TEXT;
    if length <= SHORT {
        header[1] = length as u8;
        (header, 2)
    } else if length <= MEDIUM {
        header[1] = 126;
        header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        (header, MEDIUM_HEADER)
    } else {
        header[1] = 127;
        header[2..].copy_from_slice(&(length as u64).to_be_bytes());
        (header, 10)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return self.read_ahead(cx, buf);
        }
        let rest = self.ahead.get(self.taken..).unwrap_or_default();
        let now = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..now).unwrap_or_default());
        self.taken += now;
        if self.taken == self.ahead.len() {
            self.ahead = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.out.len() >= MOST_GATHERED_BYTES {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        self.out.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while let Some(rest) = this.out.get(this.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut this.tcp).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => this.written += count,
            }
        }
        this.out = Vec::new();
        this.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

    use super::*;

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, server) = tokio::join!(
            TcpStream::connect(listener.local_addr().unwrap()),
            listener.accept()
        );
        (Wire::new(server.unwrap().0), client.unwrap())
    }

    #[tokio::test]
    async fn frames_of_every_length_are_read_by_a_websocket_client() {
        let (mut wire, client) = pair().await;
        let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let lengths = [0, 1, 125, 126, 1000, 65_535, 65_536, 100_000];
        for length in lengths {
            assert_eq!(
                wire.text(|out| out.extend(std::iter::repeat_n(b'x', length))),
                length
            );
        }
        wire.ping();
        let reading = tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let message = client.next().await.unwrap().unwrap();
                if message.is_ping() {
                    return seen;
                }
                seen.push(message.into_text().unwrap().len());
            }
        });
        wire.flush().await.unwrap();
        let seen = tokio::time::timeout(Duration::from_secs(5), reading)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(seen, lengths);
        assert_eq!(wire.out.capacity(), 0, "an idle connection keeps no buffer");
    }

    #[tokio::test]
    async fn what_was_read_ahead_is_handed_on_piece_by_piece() {
        use tokio::io::AsyncReadExt as _;
        let (mut wire, mut client) = pair().await;
        let sent: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        client.write_all(&sent).await.unwrap();
        let mut got = vec![0; sent.len()];
        for piece in got.chunks_mut(7) {
            wire.read_exact(piece).await.unwrap();
        }
        assert_eq!(got, sent);
        assert_eq!(wire.ahead.capacity(), 0, "an idle connection keeps no buffer");
    }
}
