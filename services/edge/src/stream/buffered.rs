//! A stream with gathered writes and reads that run ahead, which keeps no buffer while the connection is idle. Not a
//! framing: whole frames are appended to one buffer, so frames of two writers cannot interleave.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// Bytes gathered before they are written: several frames then share one system call.
const GATHER_BYTES: usize = 16 * 1024;

/// Control frames are taken beyond [`GATHER_BYTES`] up to this; above it they wait for the stream.
const MAX_GATHERED_BYTES: usize = 32 * 1024;

/// Bytes asked for in one read, into a buffer that all connections of a thread share.
const READ_AHEAD_BYTES: usize = 16 * 1024;

thread_local! {
    static READ_AHEAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AHEAD_BYTES].into_boxed_slice());
}

/// A stream with gathered writes and reads that run ahead.
#[derive(Debug)]
pub(crate) struct BufferedStream {
    stream: Stream,
    gathered: Vec<u8>,
    written: usize,
    ahead: Vec<u8>,
    taken: usize,
}

impl BufferedStream {
    pub(crate) const fn new(stream: Stream) -> Self {
        Self {
            stream,
            gathered: Vec::new(),
            written: 0,
            ahead: Vec::new(),
            taken: 0,
        }
    }

    /// The stream itself, past all buffers.
    pub(crate) const fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether another frame may be gathered before the next flush.
    pub(crate) const fn has_room(&self) -> bool {
        self.gathered.len() < GATHER_BYTES
    }

    /// Where a whole frame is appended; the next flush writes it.
    pub(crate) const fn gathered(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Whether no buffer is kept.
    #[cfg(test)]
    pub(crate) const fn is_lean(&self) -> bool {
        self.gathered.capacity() == 0 && self.ahead.capacity() == 0
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        READ_AHEAD.with_borrow_mut(|shared| {
            let mut read = ReadBuf::new(shared);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let (now, later) = read.filled().split_at(buf.remaining().min(read.filled().len()));
            buf.put_slice(now);
            self.ahead = later.to_vec();
            self.taken = 0;
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncRead for BufferedStream {
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

impl AsyncWrite for BufferedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.gathered.len() >= MAX_GATHERED_BYTES {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        self.gathered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while let Some(rest) = this.gathered.get(this.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut this.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => this.written += count,
            }
        }
        this.gathered = Vec::new();
        this.written = 0;
        // Nothing is buffered below a TCP stream; this costs no system call.
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn bytes_that_were_read_ahead_come_piece_by_piece() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let mut client = client.unwrap();
        let mut stream = BufferedStream::new(Stream::accept(server.unwrap().0));
        let sent: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        client.write_all(&sent).await.unwrap();
        let mut got = vec![0; sent.len()];
        for piece in got.chunks_mut(7) {
            stream.read_exact(piece).await.unwrap();
        }
        assert_eq!(got, sent);
        assert!(stream.is_lean(), "an idle connection keeps no buffer");
    }
}
