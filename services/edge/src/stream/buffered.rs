//! A stream with gathered writes and reads that run ahead, which keeps no buffer while the connection is idle. Not a
//! framing: whole frames are appended to one buffer, so frames of two writers cannot interleave.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};

use super::Stream;

/// Bytes gathered before they are written: several frames then share one system call.
const GATHER_BYTES: usize = 16 * 1024;

/// Answers to control frames are taken beyond [`GATHER_BYTES`] up to this; above it nothing is read.
const MAX_GATHERED_BYTES: usize = 32 * 1024;

/// Bytes asked for in one read, into a buffer that all connections of a thread share.
const READ_AHEAD_BYTES: usize = 16 * 1024;

thread_local! {
    static READ_AHEAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AHEAD_BYTES].into_boxed_slice());
}

/// How often bytes have moved; both counters wrap around.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BytesMoved {
    /// Reads that brought bytes.
    pub(crate) reads: u32,
    /// Writes in which the kernel took bytes.
    pub(crate) writes: u32,
}

/// A stream with gathered writes and reads that run ahead.
#[derive(Debug)]
pub(crate) struct BufferedStream {
    stream: Stream,
    gathered: Vec<u8>,
    written: usize,
    /// Boxed, because most reads leave nothing.
    ahead: Option<Box<Ahead>>,
    moved: BytesMoved,
}

/// Bytes that were read and not taken.
#[derive(Debug)]
struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
}

impl Ahead {
    fn keep(bytes: Vec<u8>) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes, taken: 0 }))
    }
}

impl BufferedStream {
    /// A stream of which `ahead` was read already.
    pub(crate) fn new(stream: Stream, ahead: Vec<u8>) -> Self {
        Self {
            stream,
            gathered: Vec::new(),
            written: 0,
            ahead: Ahead::keep(ahead),
            moved: BytesMoved { reads: 0, writes: 0 },
        }
    }

    /// The stream itself, past all buffers.
    pub(crate) const fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// How often bytes have moved.
    pub(crate) const fn moved(&self) -> BytesMoved {
        self.moved
    }

    /// Whether another frame may be gathered before the next flush.
    pub(crate) const fn has_room(&self) -> bool {
        self.gathered.len() < GATHER_BYTES
    }

    /// Whether not even answers to control frames may be gathered before the next flush.
    pub(crate) const fn is_overfull(&self) -> bool {
        self.gathered.len() >= MAX_GATHERED_BYTES
    }

    /// Where a whole frame is appended; the next flush writes it.
    pub(crate) const fn gathered(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Whether no buffer is kept.
    #[cfg(test)]
    pub(crate) const fn is_lean(&self) -> bool {
        self.gathered.capacity() == 0 && self.ahead.is_none()
    }

    /// Gives bytes to `take` until it finds something. `take` returns how many bytes it took: all, if it finds nothing.
    /// `None`: the client has closed its half.
    pub(crate) fn poll_take<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&[u8]) -> (usize, Option<T>),
    ) -> Poll<io::Result<Option<T>>> {
        if let Some(ahead) = &mut self.ahead {
            let (taken, found) = take(ahead.bytes.get(ahead.taken..).unwrap_or_default());
            ahead.taken += taken;
            if ahead.taken >= ahead.bytes.len() {
                self.ahead = None;
            }
            if found.is_some() {
                return Poll::Ready(Ok(found));
            }
        }
        loop {
            let found = READ_AHEAD.with_borrow_mut(|shared| {
                let mut read = ReadBuf::new(shared);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
                let bytes = read.filled();
                if bytes.is_empty() {
                    return Poll::Ready(Ok(None));
                }
                self.moved.reads = self.moved.reads.wrapping_add(1);
                let (taken, found) = take(bytes);
                self.ahead = Ahead::keep(bytes.get(taken..).unwrap_or_default().to_vec());
                Poll::Ready(io::Result::Ok(Some(found)))
            });
            match ready!(found)? {
                None => return Poll::Ready(Ok(None)),
                Some(None) => {}
                Some(found) => return Poll::Ready(Ok(found)),
            }
        }
    }

    /// Writes everything that was gathered.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.gathered.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
            self.moved.writes = self.moved.writes.wrapping_add(1);
        }
        self.gathered = Vec::new();
        self.written = 0;
        // Below a TCP stream nothing is buffered, and this costs no system call. TLS may have a record left.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Writes everything that was gathered.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes everything that was gathered, and closes this half.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn bytes_that_were_read_ahead_come_piece_by_piece() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let mut client = client.unwrap();
        let sent: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        let (before, rest) = sent.split_at(10);
        let mut stream = BufferedStream::new(Stream::accept(server.unwrap().0), before.to_vec());
        client.write_all(rest).await.unwrap();
        let mut got = Vec::new();
        while got.len() < sent.len() {
            let piece = poll_fn(|cx| {
                stream.poll_take(cx, |bytes| {
                    let piece = bytes[..bytes.len().min(7)].to_vec();
                    (piece.len(), Some(piece))
                })
            });
            got.extend(piece.await.unwrap().unwrap());
        }
        assert_eq!(got, sent);
        assert!(stream.is_lean(), "an idle connection keeps no buffer");
        assert!(stream.moved().reads >= 3 && stream.moved().writes == 0);
        client.shutdown().await.unwrap();
        let end = poll_fn(|cx| stream.poll_take(cx, |bytes| (bytes.len(), Some(()))));
        assert_eq!(end.await.unwrap(), None);
    }
}
