//! A TCP connection whose reader can sleep while answers arrive that nobody waits for. It reads them when it is awake
//! anyway. Not when that must be (`shard::publisher`).

use std::{
    io::{self, ErrorKind, Read as _},
    net::{Shutdown, TcpStream},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::unix::pipe,
};

/// Bytes that one look reads at most. Answers are small.
const LOOK_BYTES: usize = 4096;

/// How a [`DeferredStream`] reads. At first it watches.
#[derive(Clone, Default)]
pub(crate) struct Reads(Arc<State>);

#[derive(Default)]
struct State {
    is_deferred: AtomicBool,
    /// The next poll reads bytes that have arrived.
    is_look_due: AtomicBool,
    reader: AtomicWaker,
}

impl Reads {
    /// From the next poll on, bytes that arrive wake nobody, or wake the reader again.
    pub(crate) fn defer(&self, is_deferred: bool) {
        self.0.is_deferred.store(is_deferred, Ordering::SeqCst);
    }

    /// Whether bytes that arrive wake nobody.
    pub(crate) fn is_deferred(&self) -> bool {
        self.0.is_deferred.load(Ordering::SeqCst)
    }

    /// The next poll reads bytes that have arrived. Sending polls the connection, too.
    pub(crate) fn look(&self) {
        self.0.is_look_due.store(true, Ordering::SeqCst);
    }

    /// Reads bytes that have arrived, and watches for more.
    pub(crate) fn watch_now(&self) {
        self.look();
        self.defer(false);
        self.0.reader.wake();
    }
}

/// The connection. tokio registers a socket for reading and writing at once, and the end of a pipe for one of them. It does not
/// ask which of them a descriptor is; a write to a connection that is gone is an error, because Rust programs ignore SIGPIPE.
pub(crate) struct DeferredStream {
    writing: pipe::Sender,
    reading: Reading,
    reads: Reads,
}

/// The descriptor for reading.
enum Reading {
    /// Bytes that arrive wake nobody.
    Deferred(TcpStream),
    Watched(pipe::Receiver),
    /// A change between the two failed.
    Broken,
}

impl DeferredStream {
    /// # Errors
    /// The system has no descriptor or memory for it.
    pub(super) fn new(stream: tokio::net::TcpStream) -> io::Result<(Self, Reads)> {
        let reading = stream.into_std()?;
        let writing = pipe::Sender::from_owned_fd_unchecked(reading.try_clone()?.into())?;
        let reads = Reads::default();
        let stream = Self {
            writing,
            reading: Reading::Deferred(reading),
            reads: reads.clone(),
        };
        Ok((stream, reads))
    }
}

impl Reading {
    /// Bytes that arrive from now on wake nobody, or those that are there already count as an event.
    fn defer(self, is_deferred: bool) -> io::Result<Self> {
        Ok(match self {
            Self::Watched(watched) if is_deferred => Self::Deferred(watched.into_nonblocking_fd()?.into()),
            Self::Deferred(socket) if !is_deferred => {
                Self::Watched(pipe::Receiver::from_owned_fd_unchecked(socket.into())?)
            }
            unchanged @ (Self::Watched(_) | Self::Deferred(_) | Self::Broken) => unchanged,
        })
    }
}

/// Reads bytes that have arrived; `false` if there are none.
fn look(mut socket: &TcpStream, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
    let mut bytes = [0; LOOK_BYTES];
    let room = buffer.remaining().min(LOOK_BYTES);
    match socket.read(&mut bytes[..room]) {
        Ok(count) => {
            buffer.put_slice(&bytes[..count]);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

impl AsyncRead for DeferredStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Before the flags are read: who changes them later wakes this task.
        this.reads.0.reader.register(context.waker());
        let is_deferred = this.reads.is_deferred();
        if is_deferred {
            this.reading = std::mem::replace(&mut this.reading, Reading::Broken).defer(true)?;
        }
        let is_look_due = this.reads.0.is_look_due.swap(false, Ordering::SeqCst);
        if let Reading::Deferred(socket) = &this.reading
            && is_look_due
        {
            let room = buffer.remaining().min(LOOK_BYTES);
            let before = buffer.filled().len();
            if look(socket, buffer)? {
                if buffer.filled().len() - before == room {
                    // There may be more.
                    this.reads.look();
                }
                return Poll::Ready(Ok(()));
            }
        }
        if is_deferred {
            return Poll::Pending;
        }
        this.reading = std::mem::replace(&mut this.reading, Reading::Broken).defer(false)?;
        match &mut this.reading {
            Reading::Watched(watched) => Pin::new(watched).poll_read(context, buffer),
            Reading::Deferred(_) | Reading::Broken => Poll::Ready(Err(ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for DeferredStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().writing).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writing).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The end of a pipe has no shutdown of its own.
        Poll::Ready(SockRef::from(&self.writing).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        task::{Waker, ready},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (tokio::net::TcpStream, DeferredStream, Reads) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(near, listener.accept());
        let (near, reads) = DeferredStream::new(near.unwrap()).unwrap();
        (far.unwrap().0, near, reads)
    }

    /// Until so many bytes have arrived. They are seen, and not taken.
    async fn wait_for(near: &DeferredStream, count: usize) {
        let Reading::Deferred(socket) = &near.reading else {
            panic!("watched");
        };
        while socket.peek(&mut [0; 16]).ok() != Some(count) {
            tokio::task::yield_now().await;
        }
    }

    fn poll_once(stream: &mut DeferredStream, bytes: &mut [u8]) -> Poll<usize> {
        let mut buffer = ReadBuf::new(bytes);
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(stream).poll_read(&mut context, &mut buffer) {
            Poll::Ready(read) => {
                read.unwrap();
                Poll::Ready(buffer.filled().len())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    #[tokio::test]
    async fn a_watching_reader_hears_of_all_bytes_and_of_the_end() {
        let (mut far, mut near, _) = pair().await;
        let mut bytes = [0; 3 * LOOK_BYTES];
        let (sent, read) = tokio::join!(far.write_all(&[1; 3 * LOOK_BYTES]), near.read_exact(&mut bytes));
        sent.unwrap();
        read.unwrap();
        near.write_all(b"answer").await.unwrap();
        far.read_exact(&mut bytes[..6]).await.unwrap();
        assert_eq!(&bytes[..6], b"answer");
        drop(far);
        assert_eq!(near.read(&mut bytes).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_deferred_reader_reads_only_when_it_looks() {
        let (mut far, mut near, reads) = pair().await;
        let mut bytes = [0; 16];
        reads.defer(true);
        far.write_all(b"one").await.unwrap();
        wait_for(&near, 3).await;
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Pending);
        reads.look();
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Ready(3));
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Pending);
    }

    #[tokio::test]
    async fn a_look_goes_on_until_all_is_read() {
        let (mut far, mut near, reads) = pair().await;
        let mut bytes = [0; 4];
        reads.defer(true);
        far.write_all(b"12345678").await.unwrap();
        wait_for(&near, 8).await;
        reads.look();
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Ready(4));
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Ready(4));
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Pending);
    }

    #[tokio::test]
    async fn a_deferred_reader_is_woken_to_watch_again_and_misses_nothing() {
        let (mut far, mut near, reads) = pair().await;
        reads.defer(true);
        let mut bytes = [0; 16];
        assert_eq!(poll_once(&mut near, &mut bytes), Poll::Pending);
        let reading = poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut near).poll_read(context, &mut buffer));
            Poll::Ready(read.map(|()| buffer.filled().len()))
        });
        let far = async {
            tokio::task::yield_now().await;
            reads.watch_now();
            tokio::task::yield_now().await;
            far.write_all(b"late").await.unwrap();
            far
        };
        let (read, far) = tokio::join!(reading, far);
        assert_eq!(read.unwrap(), 4);
        drop(far);
        assert_eq!(near.read(&mut bytes).await.unwrap(), 0, "the end is noticed, too");
    }
}
