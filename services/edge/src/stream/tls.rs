//! A byte stream over TLS that keeps no buffer while it is idle: what arrives is read into a buffer that all connections
//! of a thread share, and only the beginning of a record that is not complete is kept. Not the handshake (`crate::tls`).

mod records;

use std::{
    cell::RefCell,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustls::{
    HandshakeKind,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::WriteTraffic,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use records::{Advance, Halt, Records};

/// The most bytes of a record, or of one message of the handshake, that wait for their end. A record has up to 18,437
/// bytes (RFC 5246, section 6.2.3); a chain of client certificates may fill the rest.
pub(crate) const MAX_HELD_BYTES: usize = 32 * 1024;

/// Bytes asked for in one read.
const READ_BYTES: usize = 16 * 1024;

/// Plaintext in one record that is written, in bytes (RFC 8446, section 5.1).
const PLAIN_BYTES: usize = 16 * 1024;

/// Room for such a record, and for a change of keys in front of it.
const RECORD_BYTES: usize = PLAIN_BYTES + 1024;

thread_local! {
    static ARRIVED: RefCell<Box<[u8]>> = RefCell::new(vec![0; MAX_HELD_BYTES].into_boxed_slice());
    static RECORD: RefCell<Box<[u8]>> = RefCell::new(vec![0; RECORD_BYTES].into_boxed_slice());
}

/// A TCP connection with TLS, as its server.
#[derive(Debug)]
pub struct TlsStream {
    tcp: TcpStream,
    records: Records,
    /// Bytes that arrived and are not decrypted: mostly none, or the beginning of a record.
    held: Vec<u8>,
    /// Plaintext for which its reader had no room.
    plain: Vec<u8>,
    plain_taken: usize,
    /// Records that the kernel has not taken yet.
    out: Vec<u8>,
    out_sent: usize,
    has_said_goodbye: bool,
    has_failed: bool,
}

impl TlsStream {
    /// A connection at the beginning of its handshake, of which `held` has arrived.
    pub(crate) const fn new(tcp: TcpStream, session: UnbufferedServerConnection, held: Vec<u8>) -> Self {
        Self {
            tcp,
            records: Records::new(session),
            held,
            plain: Vec::new(),
            plain_taken: 0,
            out: Vec::new(),
            out_sent: 0,
            has_said_goodbye: false,
            has_failed: false,
        }
    }

    /// Whether no buffer is kept.
    #[cfg(test)]
    pub(crate) const fn is_lean(&self) -> bool {
        self.held.capacity() == 0 && self.plain.capacity() == 0 && self.out.capacity() == 0
    }

    /// The connection below.
    pub(crate) const fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether the handshake has not ended yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.records.session().is_handshaking()
    }

    /// Whether the client resumed an earlier session. Known after the handshake.
    pub(crate) fn is_resumed(&self) -> bool {
        self.records.session().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// What has arrived and is not decrypted, for more of the handshake to be appended.
    pub(crate) const fn held(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// Works through what has arrived; answers wait for [`TlsStream::poll_send`].
    ///
    /// # Errors
    /// What the client did wrong. The alert that tells it waits to be sent.
    pub(crate) fn advance(&mut self) -> Result<(), rustls::Error> {
        self.advance_and(|_| ())
    }

    /// As `advance`, with `write` for the bytes to send.
    fn advance_and(
        &mut self,
        write: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>),
    ) -> Result<(), rustls::Error> {
        let mut held = mem::take(&mut self.held);
        let plain = &mut self.plain;
        let read = |bytes: &[u8]| {
            plain.extend_from_slice(bytes);
            true
        };
        let Advance { spent, halt } = self.records.advance(&mut held, &mut self.out, read, write);
        held.drain(..spent);
        if !held.is_empty() {
            held.shrink_to_fit();
            self.held = held;
        }
        self.has_failed |= halt.is_err();
        halt.map(|_| ())
    }

    /// Sends the records that wait.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.out_sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.tcp).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.out_sent += count,
            }
        }
        (self.out, self.out_sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Gives plaintext that waits to `buf`; whether there was any.
    fn take_plain(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let waiting = self.plain.get(self.plain_taken..).unwrap_or_default();
        if waiting.is_empty() {
            return false;
        }
        let taken = waiting.len().min(buf.remaining());
        buf.put_slice(waiting.get(..taken).unwrap_or_default());
        self.plain_taken += taken;
        if self.plain_taken >= self.plain.len() {
            (self.plain, self.plain_taken) = (Vec::new(), 0);
        }
        true
    }

    /// Reads and decrypts until there is something for `buf`; `arrived` begins with what was held.
    fn poll_arrived(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        arrived: &mut [u8],
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let mut end = self.held.len();
        let mut start = 0;
        arrived
            .get_mut(..end)
            .unwrap_or_default()
            .copy_from_slice(&self.held);
        self.held = Vec::new();
        loop {
            if start < end {
                let plain = &mut self.plain;
                let read = |bytes: &[u8]| {
                    let (now, later) = bytes.split_at(bytes.len().min(buf.remaining()));
                    buf.put_slice(now);
                    plain.extend_from_slice(later);
                    buf.remaining() > 0
                };
                let bytes = arrived.get_mut(start..end).unwrap_or_default();
                let Advance { spent, halt } = self.records.advance(bytes, &mut self.out, read, |_| ());
                start += spent;
                let is_sent = self.poll_send(cx);
                match halt {
                    Err(error) => {
                        self.has_failed = true;
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                    }
                    Ok(Halt::Closed) => return Poll::Ready(Ok(())),
                    Ok(Halt::Full | Halt::Starved) => {}
                }
                if let Poll::Ready(Err(error)) = is_sent {
                    return Poll::Ready(Err(error));
                }
                if buf.filled().len() > before {
                    self.held = arrived.get(start..end).unwrap_or_default().to_vec();
                    return Poll::Ready(Ok(()));
                }
            }
            arrived.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            let limit = arrived.len().min(end + READ_BYTES);
            let mut room = ReadBuf::new(arrived.get_mut(end..limit).unwrap_or_default());
            if room.capacity() == 0 {
                self.has_failed = true;
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a message of TLS is too long",
                )));
            }
            let read = Pin::new(&mut self.tcp).poll_read(cx, &mut room);
            let count = room.filled().len();
            match read {
                Poll::Ready(Ok(())) if count > 0 => end += count,
                Poll::Ready(outcome) => {
                    // Without the client's goodbye the end may be somebody else's (RFC 8446, section 6.1).
                    return Poll::Ready(outcome.and(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Pending => {
                    self.held = arrived.get(..end).unwrap_or_default().to_vec();
                    return Poll::Pending;
                }
            }
        }
    }

    fn failed() -> io::Error {
        io::Error::new(io::ErrorKind::BrokenPipe, "the TLS connection has failed")
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 || this.take_plain(buf) || this.records.is_closed() {
            return Poll::Ready(Ok(()));
        }
        if this.has_failed {
            return Poll::Ready(Err(Self::failed()));
        }
        ARRIVED.with_borrow_mut(|arrived| this.poll_arrived(cx, buf, arrived))
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.has_failed {
            return Poll::Ready(Err(Self::failed()));
        }
        ready!(this.poll_send(cx))?;
        // A record cannot be taken back, so there is one only when the kernel takes bytes.
        ready!(this.tcp.poll_write_ready(cx))?;
        let plain = bytes.get(..bytes.len().min(PLAIN_BYTES)).unwrap_or_default();
        RECORD.with_borrow_mut(|record| {
            let mut written = 0;
            let advanced = this.advance_and(|traffic| {
                written = traffic.encrypt(plain, record).unwrap_or_default();
            });
            advanced.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let record = record.get(..written).unwrap_or_default();
            if record.is_empty() && !plain.is_empty() {
                return Poll::Ready(Err(Self::failed()));
            }
            let sent = match this.out.is_empty() {
                true => Pin::new(&mut this.tcp).poll_write(cx, record),
                // Records of TLS itself go first.
                false => Poll::Pending,
            };
            let sent = match sent {
                Poll::Ready(sent) => sent?,
                Poll::Pending => 0,
            };
            this.out.extend_from_slice(record.get(sent..).unwrap_or_default());
            Poll::Ready(Ok(plain.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !mem::replace(&mut this.has_said_goodbye, true) && !this.has_failed && !this.is_handshaking() {
            RECORD.with_borrow_mut(|record| {
                let mut written = 0;
                let said = this.advance_and(|traffic| {
                    written = traffic.queue_close_notify(record).unwrap_or_default();
                });
                if said.is_ok() {
                    this.out
                        .extend_from_slice(record.get(..written).unwrap_or_default());
                }
            });
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}
