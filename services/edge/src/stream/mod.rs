//! The byte stream under a connection: TCP, or TLS over it. Another kind is one more variant and one more file; an enum, so
//! that a read is a branch and no virtual call. Not buffering (`buffered`), not frames.

pub(crate) mod buffered;
pub(crate) mod proxy_header;
pub(crate) mod tls;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use tls::TlsStream;

/// What the kernel may hold for a client that does not read, in bytes; Linux takes twice as much for its own records.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What the kernel may hold of a client that is not read, in bytes; Linux takes twice as much for its own records.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Bounds the kernel's buffers of all connections that `listener` accepts. Without it they grow to megabytes each.
pub(crate) fn bound_kernel_buffers(listener: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)
}

/// A client's byte stream.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS. Boxed, so that a plain connection is not larger for it.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Takes an accepted TCP connection.
    pub(crate) fn accept(tcp: TcpStream) -> Self {
        Self::Tcp(tcp).without_delay()
    }

    /// Takes an accepted connection after its handshake.
    pub(crate) fn secure(tls: TlsStream) -> Self {
        Self::Tls(Box::new(tls)).without_delay()
    }

    fn without_delay(self) -> Self {
        // Signaling is small messages that somebody waits for; a failure only costs latency.
        let _ = self.tcp().set_nodelay(true);
        self
    }

    const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => tls.tcp(),
        }
    }

    /// Whether the client's bytes are encrypted on their way to this node.
    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Ends the connection if the client's kernel acknowledges nothing for `time`; where that is unknown, the kernel's own
    /// patience stays.
    pub(crate) fn give_up_after(&self, time: Duration) {
        let _ = SockRef::from(self.tcp()).set_tcp_user_timeout(Some(time));
    }

    /// Whether the client has closed or reset the connection already, as far as the kernel knows.
    pub(crate) fn has_hung_up(&self) -> bool {
        matches!(self.tcp().peek(&mut [0]).now_or_never(), Some(Ok(0) | Err(_)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, parts),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    /// Bytes that the kernel takes for a client that reads nothing and has a small buffer of its own.
    async fn taken_by_the_kernel(listener: &TcpListener) -> usize {
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        let connecting = client.connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(connecting, listener.accept());
        let (_client, (server, _)) = (client.unwrap(), server.unwrap());
        let chunk = [0; 16 * 1024];
        let mut taken = 0;
        while let Some(Ok(())) = server.writable().now_or_never() {
            match server.try_write(&chunk) {
                Ok(count) => taken += count,
                Err(_) => break,
            }
        }
        taken
    }

    #[tokio::test]
    async fn the_kernel_holds_little_for_a_client_that_reads_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        bound_kernel_buffers(&listener).unwrap();
        let taken = taken_by_the_kernel(&listener).await;
        assert!((1..=4 * SEND_BUFFER_BYTES).contains(&taken), "{taken} bytes");
    }
}
