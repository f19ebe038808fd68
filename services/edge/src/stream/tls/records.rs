//! The records of one TLS connection, over buffers of the caller: what arrived is decrypted where it lies, so an idle
//! connection needs no buffer. Not the socket (`tls`), and not which certificate (`crate::tls`).

use std::fmt;

use rustls::{
    Error,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus, WriteTraffic},
};

/// Records that an error may leave to be sent: one alert, and what was queued before it.
const MAX_LAST_RECORDS: usize = 4;

/// Why the records stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// More bytes have to arrive.
    Starved,
    /// The reader has no more room; complete records may be left.
    Full,
    /// The client has ended its half. Later bytes mean nothing.
    Closed,
}

/// What one advance achieved.
#[derive(Debug)]
pub(super) struct Advance {
    /// Bytes that are done with, from the front.
    pub(super) spent: usize,
    /// Why it went no further; an error ends the connection.
    pub(super) halt: Result<Halt, Error>,
}

/// The server's side of one TLS connection.
pub(super) struct Records {
    session: UnbufferedServerConnection,
    is_closed: bool,
}

impl Records {
    pub(super) const fn new(session: UnbufferedServerConnection) -> Self {
        Self {
            session,
            is_closed: false,
        }
    }

    pub(super) const fn session(&self) -> &UnbufferedServerConnection {
        &self.session
    }

    /// Works through `bytes`. Plaintext goes to `read`, which says whether it takes more; records of the handshake, and
    /// alerts, are appended to `out`. `write` is called when the connection takes plaintext to send.
    ///
    /// Bytes that are not spent must come again, in front of the next ones: rustls remembers where in them it is.
    pub(super) fn advance(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        mut read: impl FnMut(&[u8]) -> bool,
        write: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>),
    ) -> Advance {
        let (mut spent, mut write) = (0, Some(write));
        let halt = loop {
            let rest = bytes.get_mut(spent..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.session.process_tls_records(rest);
            let halt = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    let mut has_room = true;
                    let mut failed = None;
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                has_room = read(record.payload);
                            }
                            Err(error) => failed = Some(error),
                        }
                    }
                    match failed {
                        Some(error) => Some(Err(error)),
                        None => (!has_room).then_some(Ok(Halt::Full)),
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    append(data, out);
                    None
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    // It is as good as sent: `out` is written before anything else.
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_closed = true;
                    None
                }
                Ok(ConnectionState::Closed) => Some(Ok(Halt::Closed)),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    if let Some(write) = write.take() {
                        write(&mut traffic);
                    }
                    Some(Ok(self.starved()))
                }
                Ok(ConnectionState::BlockedHandshake) => Some(Ok(self.starved())),
                // Early data is never offered.
                Ok(_) => Some(Err(Error::General(
                    "a state of TLS that was not asked for".into(),
                ))),
                Err(error) => Some(Err(error)),
            };
            spent += discard;
            if let Some(halt) = halt {
                break halt;
            }
        };
        if halt.is_err() {
            self.last_records(bytes.get_mut(spent..).unwrap_or_default(), out);
        }
        Advance { spent, halt }
    }

    /// Whether the client has ended its half.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    const fn starved(&self) -> Halt {
        if self.is_closed {
            Halt::Closed
        } else {
            Halt::Starved
        }
    }

    /// After an error: the alert that tells the client. Only while rustls has records to send: it panics when it is to read
    /// on after its alert.
    fn last_records(&mut self, rest: &mut [u8], out: &mut Vec<u8>) {
        for _ in 0..MAX_LAST_RECORDS {
            if !self.session.wants_write() {
                return;
            }
            if let Ok(ConnectionState::EncodeTlsData(data)) = self.session.process_tls_records(rest).state {
                append(data, out);
            }
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No keys.
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

/// Appends a record to `out`, whose length rustls tells when it does not fit.
fn append(mut data: EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(wanted)) = data.encode(&mut []) {
        out.resize(start + wanted.required_size, 0);
        let written = data.encode(out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written.unwrap_or_default());
    }
}
