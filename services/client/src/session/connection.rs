//! One connection of a session. One poll both writes and reads, so neither waits for the other. Dropping the future
//! in a `select!` loses nothing: a partly written frame stays in the socket's buffer, and a text leaves the outbox
//! only when the socket has room. Not here: what frames mean.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Sink, SinkExt as _, StreamExt as _};
use switchboard_protocol::{ServerFrame, decode_event, retry_after_ms};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

use super::{acks::Acks, outbox::Outbox};
use crate::{
    client::{NO_CLOSE_FRAME, good_bye},
    connect::Socket,
};

/// How many heartbeats of the node may be missing before the connection counts as lost. A node drops a connection
/// after two, so this bound is for networks that fail without closing connections.
const MAX_MISSED_HEARTBEATS: u32 = 3;

/// After this time a connection is stable: the next backoff starts from the shortest wait.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// How long a connection is read for its close code after a write failed.
const CLOSE_CODE_WITHIN: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
#[error("{reason} (close code {code})")]
pub(super) struct ConnectionLoss {
    /// The close code; 1006 without a close frame.
    pub(super) code: u16,
    /// Why, for people.
    pub(super) reason: String,
}

impl ConnectionLoss {
    fn without_close(reason: impl ToString) -> Self {
        Self {
            code: NO_CLOSE_FRAME,
            reason: reason.to_string(),
        }
    }

    /// The wait that the node asks for.
    pub(super) fn retry_after(&self) -> Duration {
        retry_after_ms(&self.reason).map_or(Duration::ZERO, Duration::from_millis)
    }

    fn closed(frame: Option<CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self {
                code: frame.code.into(),
                reason: frame.reason.to_string(),
            },
            None => Self::without_close("closed without a code"),
        }
    }
}

/// One connection of a session.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    /// Counts the connections of one session.
    pub(super) number: u64,
    pub(super) acks: Acks,
    opened_at: Instant,
    last_frame_at: Instant,
    /// The longest time without a frame of the node; zero for no limit.
    max_silence: Duration,
    needs_flush: bool,
    write_failed_at: Option<Instant>,
}

impl Connection {
    pub(super) fn new(socket: Socket, number: u64, heartbeat: Duration) -> Self {
        let now = Instant::now();
        Self {
            socket,
            number,
            acks: Acks::default(),
            opened_at: now,
            last_frame_at: now,
            max_silence: heartbeat.saturating_mul(MAX_MISSED_HEARTBEATS),
            needs_flush: false,
            write_failed_at: None,
        }
    }

    /// Whether the connection has lasted long enough to reset the backoff.
    pub(super) fn is_stable(&self) -> bool {
        self.opened_at.elapsed() >= STABLE_AFTER
    }

    /// The next deadline: for an acknowledgement, for a silent node (if `reading`), or for the close code.
    pub(super) fn next_deadline(&self, reading: bool) -> Option<Instant> {
        let silent = (reading && !self.max_silence.is_zero()).then(|| self.last_frame_at + self.max_silence);
        let close_code = self.write_failed_at.map(|at| at + CLOSE_CODE_WITHIN);
        [self.acks.deadline(), silent, close_code]
            .into_iter()
            .flatten()
            .min()
    }

    /// The loss of the connection, if the node was silent or the socket unwritable for too long.
    pub(super) fn check_deadlines(&self, reading: bool) -> Option<ConnectionLoss> {
        if reading && !self.max_silence.is_zero() && self.last_frame_at.elapsed() >= self.max_silence {
            return Some(ConnectionLoss::without_close("the node was silent for too long"));
        }
        self.write_failed_at
            .is_some_and(|at| at.elapsed() >= CLOSE_CODE_WITHIN)
            .then(|| ConnectionLoss::without_close("the connection cannot be written to"))
    }

    /// Writes acknowledgements, and the sends of `outbox` if there is one. With `reading` it returns the next frame;
    /// without, it never completes. Cancel-safe.
    pub(super) async fn drive(
        &mut self,
        mut outbox: Option<&mut Outbox>,
        reading: bool,
    ) -> Result<ServerFrame, ConnectionLoss> {
        poll_fn(|cx| self.poll_drive(cx, outbox.as_deref_mut(), reading)).await
    }

    fn poll_drive(
        &mut self,
        cx: &mut Context<'_>,
        mut outbox: Option<&mut Outbox>,
        reading: bool,
    ) -> Poll<Result<ServerFrame, ConnectionLoss>> {
        self.acks.make_ready_if_due();
        loop {
            // Reading continues whether the write is complete or blocked.
            let _ = self.poll_write(cx, outbox.as_deref_mut());
            if !reading {
                return Poll::Pending;
            }
            match self.poll_read(cx) {
                Poll::Ready(read) => return Poll::Ready(read),
                // No frame is readable now, so the acknowledgement waits for no other.
                Poll::Pending if self.acks.make_ready() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Ready when all is written, or when writing has failed. A failure is only noted: the node's close frame may
    /// still be readable.
    fn poll_write(&mut self, cx: &mut Context<'_>, outbox: Option<&mut Outbox>) -> Poll<()> {
        if self.write_failed_at.is_some() {
            return Poll::Ready(());
        }
        let written = ready!(self.poll_write_all(cx, outbox));
        if written.is_err() {
            self.write_failed_at = Some(Instant::now());
        }
        Poll::Ready(())
    }

    fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        mut outbox: Option<&mut Outbox>,
    ) -> Poll<Result<(), Error>> {
        loop {
            // A text leaves the outbox only when the socket has room.
            ready!(self.socket.poll_ready_unpin(cx))?;
            let next = self.acks.next_text();
            let Some(text) = next.or_else(|| outbox.as_deref_mut().and_then(Outbox::next_text)) else {
                break;
            };
            self.needs_flush = true;
            self.socket.start_send_unpin(Message::text(text))?;
        }
        if self.needs_flush {
            ready!(self.socket.poll_flush_unpin(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<ServerFrame, ConnectionLoss>> {
        loop {
            let read = ready!(self.socket.poll_next_unpin(cx));
            self.last_frame_at = Instant::now();
            match read {
                // An unreadable frame belongs to a newer protocol. It is ignored like an unknown field.
                Some(Ok(Message::Text(text))) => {
                    if let Ok(frame) = decode_event(&text) {
                        return Poll::Ready(Ok(frame));
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    // tungstenite has queued the answer. If the socket has no room, it is dropped unanswered.
                    let _ = Pin::new(&mut self.socket).poll_flush(cx);
                    return Poll::Ready(Err(ConnectionLoss::closed(frame)));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Poll::Ready(Err(ConnectionLoss::without_close(error))),
                None => return Poll::Ready(Err(ConnectionLoss::without_close("the connection ended"))),
            }
        }
    }

    /// Writes acknowledgements and sends, then the close frame that ends the session. [`Connection::drive`] reads the node's answer.
    pub(super) async fn send_close(&mut self, outbox: &mut Outbox) -> Result<(), Error> {
        self.acks.make_ready();
        poll_fn(|cx| self.poll_write(cx, Some(outbox))).await;
        self.socket.close(Some(good_bye())).await
    }
}
