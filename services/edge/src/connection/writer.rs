//! From the send queue into the transport, one turn at a time. Not the encoding of an item (`client`), not when
//! a blocked transport is given up (`stall`).

use std::task::{Context, Poll};

use switchboard_protocol::codec::Codec;

use super::{client::Client, end::ConnectionEnd, stall::StallDetector, transport::Transport};

/// What the transport must do next.
#[derive(Debug, Default)]
pub(super) struct Writer {
    needs_flush: bool,
    ping_due: bool,
}

impl Writer {
    /// A ping goes out before the next item.
    pub(super) const fn ping(&mut self) {
        self.ping_due = true;
    }

    /// The transport has buffered something by itself.
    pub(super) const fn needs_flush(&mut self) {
        self.needs_flush = true;
    }

    /// Writes up to `turn` items and flushes them. Pending when the send queue is empty or the transport is full;
    /// both have then noted the waker.
    pub(super) fn poll<T: Transport, C: Codec>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        stall: &mut StallDetector,
        transport: &mut T,
        turn: usize,
    ) -> Poll<Result<(), ConnectionEnd>> {
        let mut is_empty = false;
        let mut written = 0;
        while written < turn && transport.has_room() {
            if std::mem::take(&mut self.ping_due) {
                transport.write_ping();
                self.needs_flush = true;
            }
            let Poll::Ready(outgoing) = client.session().poll_next(cx) else {
                is_empty = true;
                break;
            };
            if let Err(code) = client.write(outgoing, transport) {
                return Poll::Ready(Err(ConnectionEnd::ByNode(code)));
            }
            self.needs_flush = true;
            written += 1;
        }
        if self.needs_flush {
            match transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.needs_flush = false;
                    stall.unblocked();
                    client.flushed();
                }
                Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
                Poll::Pending => {
                    stall.blocked();
                    return Poll::Pending;
                }
            }
        }
        if is_empty {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }
}
