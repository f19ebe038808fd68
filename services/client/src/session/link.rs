//! One connection of a session: writes what is due and reads frames, both in one poll, so that neither
//! waits for the other and nothing is lost when the caller's `select!` drops the future: a half-written
//! frame stays in the socket's buffer, and a text is taken only when the socket can have it. Not here: what
//! frames mean.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Sink, SinkExt as _, StreamExt as _};
use switchboard_protocol::{ServerFrame, decode_event};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

use super::{acks::Acks, outbox::Outbox};
use crate::{client::NO_CLOSE_FRAME, connect::Socket};

/// Heartbeats of the node that may be missed before the connection counts as lost. The node itself drops a
/// connection after two, so this is for networks that fail without a word.
const HEARTBEATS_MISSED: u32 = 3;

/// A connection that lasted this long was a good one: the waits begin again from the shortest.
const STEADY_AFTER: Duration = Duration::from_secs(1);

/// How long a connection that cannot be written to is still read for its close code.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
#[error("{reason} (close code {code})")]
pub(super) struct Lost {
    /// The close code; 1006 when there was none.
    pub(super) code: u16,
    /// For people.
    pub(super) reason: String,
}

impl Lost {
    fn without_close(reason: impl ToString) -> Self {
        Self {
            code: NO_CLOSE_FRAME,
            reason: reason.to_string(),
        }
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
pub(super) struct Link {
    socket: Socket,
    /// Its number among the connections of this session's task.
    pub(super) number: u64,
    pub(super) acks: Acks,
    since: Instant,
    last_heard: Instant,
    /// How long the node may be silent; zero for ever.
    silence: Duration,
    /// Whether something written waits to be flushed.
    unflushed: bool,
    /// Since when writing fails.
    broken: Option<Instant>,
}

impl Link {
    pub(super) fn new(socket: Socket, number: u64, heartbeat: Duration) -> Self {
        let now = Instant::now();
        Self {
            socket,
            number,
            acks: Acks::default(),
            since: now,
            last_heard: now,
            silence: heartbeat.saturating_mul(HEARTBEATS_MISSED),
            unflushed: false,
            broken: None,
        }
    }

    /// Whether it lasted long enough for a good one.
    pub(super) fn is_steady(&self) -> bool {
        self.since.elapsed() >= STEADY_AFTER
    }

    /// When something is due that no frame brings: an acknowledgement; the end of a silent node, if
    /// `reading`; the end of waiting for the last words.
    pub(super) fn due(&self, reading: bool) -> Option<Instant> {
        let silent = (reading && !self.silence.is_zero()).then(|| self.last_heard + self.silence);
        let broken = self.broken.map(|since| since + LAST_WORDS);
        [self.acks.due(), silent, broken].into_iter().flatten().min()
    }

    /// Whether the node has been silent, or unwritable, for too long.
    pub(super) fn is_dead(&self, reading: bool) -> Option<Lost> {
        if reading && !self.silence.is_zero() && self.last_heard.elapsed() >= self.silence {
            return Some(Lost::without_close("the node was silent for too long"));
        }
        self.broken
            .is_some_and(|since| since.elapsed() >= LAST_WORDS)
            .then(|| Lost::without_close("the connection cannot be written to"))
    }

    /// Writes acknowledgements and, where an `outbox` is given, its sends; with `reading`, returns the next
    /// frame. May be cancelled: nothing is lost. Without `reading` it ends never.
    pub(super) async fn turn(
        &mut self,
        mut outbox: Option<&mut Outbox>,
        reading: bool,
    ) -> Result<ServerFrame, Lost> {
        poll_fn(|cx| self.poll_turn(cx, outbox.as_deref_mut(), reading)).await
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        mut outbox: Option<&mut Outbox>,
        reading: bool,
    ) -> Poll<Result<ServerFrame, Lost>> {
        self.acks.settle_if_due();
        loop {
            // Blocked or done, reading goes on either way.
            let _ = self.poll_write(cx, outbox.as_deref_mut());
            if !reading {
                return Poll::Pending;
            }
            match self.poll_read(cx) {
                Poll::Ready(read) => return Poll::Ready(read),
                // Nothing more is readable now: time to acknowledge.
                Poll::Pending if self.acks.settle() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Ready when all is written, or nothing can be. A failure is only noted: the close frame that explains
    /// it may be there to be read.
    fn poll_write(&mut self, cx: &mut Context<'_>, outbox: Option<&mut Outbox>) -> Poll<()> {
        if self.broken.is_some() {
            return Poll::Ready(());
        }
        let written = ready!(self.poll_write_all(cx, outbox));
        if written.is_err() {
            self.broken = Some(Instant::now());
        }
        Poll::Ready(())
    }

    fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        mut outbox: Option<&mut Outbox>,
    ) -> Poll<Result<(), Error>> {
        loop {
            // A text is taken only once the socket can have it.
            ready!(self.socket.poll_ready_unpin(cx))?;
            let next = self.acks.next_text();
            let Some(text) = next.or_else(|| outbox.as_deref_mut().and_then(Outbox::next_text)) else {
                break;
            };
            self.unflushed = true;
            self.socket.start_send_unpin(Message::text(text))?;
        }
        if self.unflushed {
            ready!(self.socket.poll_flush_unpin(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<ServerFrame, Lost>> {
        loop {
            let read = ready!(self.socket.poll_next_unpin(cx));
            self.last_heard = Instant::now();
            match read {
                // What cannot be read is of a newer protocol, and ignored like an unknown field.
                Some(Ok(Message::Text(text))) => {
                    if let Ok(frame) = decode_event(&text) {
                        return Poll::Ready(Ok(frame));
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    // tungstenite has the answer ready; a socket that cannot take it now is dropped anyway.
                    let _ = Pin::new(&mut self.socket).poll_flush(cx);
                    return Poll::Ready(Err(Lost::closed(frame)));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Poll::Ready(Err(Lost::without_close(error))),
                None => return Poll::Ready(Err(Lost::without_close("the connection ended"))),
            }
        }
    }

    /// Writes all that is owed and queued, then the close frame. The node's answer is read by
    /// [`Link::turn`], which then has nothing to write.
    pub(super) async fn send_close(&mut self, outbox: &mut Outbox) -> Result<(), Error> {
        self.acks.settle();
        poll_fn(|cx| self.poll_write(cx, Some(outbox))).await;
        self.socket.close(None).await
    }
}
