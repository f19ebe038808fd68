//! One client's connection: a single task that reads frames, writes the send queue and keeps its timers, over any
//! transport and any codec. The decisions are `core`'s; here is only their timing.
//!
//! Contract: always be ready to write. A read never waits for another peer, a write never holds up a read, and
//! reading stops only while this client's own sends pile up.

pub(crate) mod client;
pub(crate) mod end;
pub(crate) mod frame;
mod heartbeat;
mod renewal;
mod stall;
pub(crate) mod transport;
mod writer;

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use client::Client;
use end::ConnectionEnd;
use frame::Frame;
use heartbeat::{Beat, Heartbeat};
use stall::StallDetector;
use switchboard_core::ConnectionPlace;
use switchboard_protocol::{CloseCode, codec::Codec};
use switchboard_telemetry::ConnectionGuard;
use tokio::time::Sleep;
use transport::Transport;
use writer::Writer;

use crate::{clock::unix_now, stream::buffered::BytesMoved};

/// Frames read, or written, before the other direction gets its turn.
const TURN_FRAMES: usize = 64;

/// A fragment of a message with as many bytes costs the client enough; smaller ones are charged as frames.
const FREE_FRAGMENT_BYTES: u64 = 128;

/// A skipped text costs as much as so many frames.
const OVERSIZED_FRAMES: usize = 16;

/// The timer is never set closer than this, so that a clock that stands still cannot spin it …
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// … and never further than this.
const LONGEST_TICK: Duration = Duration::from_secs(3600);

/// The connection of an attached client.
pub(crate) struct Connection<C> {
    client: Client<C>,
    writer: Writer,
    stall: StallDetector,
    heartbeat: Heartbeat,
    moved: BytesMoved,
    /// Whether reading stops while the client's own sends or answers pile up.
    is_paused: bool,
    /// A frame that came before `welcome`.
    early: Option<Box<Frame>>,
    /// Returned with the connection, before the close handshake.
    _place: ConnectionPlace,
    _gauge: ConnectionGuard,
}

impl<C: Codec> Connection<C> {
    pub(crate) fn new(
        client: Client<C>,
        early: Option<Box<Frame>>,
        place: ConnectionPlace,
        gauge: ConnectionGuard,
    ) -> Self {
        let heartbeat = Heartbeat::new(client.limits().heartbeat, rand::random(), Instant::now());
        Self {
            client,
            writer: Writer::default(),
            stall: StallDetector::default(),
            heartbeat,
            moved: BytesMoved::default(),
            is_paused: false,
            early,
            _place: place,
            _gauge: gauge,
        }
    }

    /// Runs until the connection ends, and says how to close it.
    pub(crate) async fn run<T: Transport>(&mut self, transport: &mut T) -> ConnectionEnd {
        let mut timer = pin!(tokio::time::sleep_until(self.next_tick().into()));
        let end = poll_fn(|cx| self.poll(cx, transport, timer.as_mut())).await;
        self.client.ended(end);
        end
    }

    fn poll<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut T,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<ConnectionEnd> {
        loop {
            while timer.as_mut().poll(cx).is_ready() {
                if let Some(code) = self.on_tick(Instant::now()) {
                    return Poll::Ready(ConnectionEnd::ByNode(code));
                }
                timer.as_mut().reset(self.next_tick().into());
            }
            if self.client.poll_renewal(cx).is_ready() {
                timer.as_mut().reset(self.next_tick().into());
                continue;
            }
            if self.client.session().has_probe() {
                self.client.session().clear_probe();
                self.heartbeat.ask(Instant::now());
                self.writer.ping();
                timer.as_mut().reset(self.next_tick().into());
                continue;
            }
            let was_blocked = self.stall.is_blocked();
            let mut is_idle = true;
            match self
                .writer
                .poll(cx, &mut self.client, &mut self.stall, transport, TURN_FRAMES)
            {
                Poll::Ready(Ok(())) => is_idle = false,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending if !was_blocked && self.stall.is_blocked() => {
                    // The stall has a deadline of its own; the loop polls the timer once more.
                    timer.as_mut().reset(self.next_tick().into());
                    is_idle = false;
                }
                Poll::Pending => {}
            }
            self.note_moved(transport.bytes_moved(), was_blocked);
            let was_renewing = self.client.is_renewing();
            match self.poll_read(cx, transport) {
                Poll::Ready(Ok(())) => is_idle = false,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => {}
            }
            self.note_moved(transport.bytes_moved(), false);
            // A renewal that has just begun must be polled once; before that, nothing wakes it.
            is_idle &= was_renewing || !self.client.is_renewing();
            if is_idle {
                return Poll::Pending;
            }
        }
    }

    /// Ready(Ok) when a whole turn was read and more may wait.
    fn poll_read<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut T,
    ) -> Poll<Result<(), ConnectionEnd>> {
        for _ in 0..TURN_FRAMES {
            if !self.client.session().may_send_more(self.client.limits()) {
                // An outcome makes room, and the send queue wakes this task with it; or the client reads on.
                if !std::mem::replace(&mut self.is_paused, true) {
                    self.client.paused();
                }
                return Poll::Pending;
            }
            self.is_paused = false;
            let frame = match self.early.take() {
                Some(frame) => *frame,
                None => ready!(transport.poll_frame(cx))?,
            };
            match frame {
                Frame::Text(text) => {
                    if let Some(code) = self.client.on_text(text) {
                        return Poll::Ready(Err(ConnectionEnd::ByNode(code)));
                    }
                }
                Frame::Oversized(beginning) => {
                    for _ in 0..OVERSIZED_FRAMES {
                        self.charge_frame()?;
                    }
                    if let Some(code) = self.client.on_oversized(&beginning) {
                        return Poll::Ready(Err(ConnectionEnd::ByNode(code)));
                    }
                }
                Frame::Binary(_) => return Poll::Ready(Err(ConnectionEnd::ByNode(CloseCode::BinaryFrame))),
                Frame::Fragment(bytes) if bytes >= FREE_FRAGMENT_BYTES => {}
                Frame::Ping => {
                    self.writer.needs_flush();
                    self.charge_frame()?;
                }
                Frame::Pong | Frame::Fragment(_) => self.charge_frame()?,
                Frame::Close(close) => return Poll::Ready(Err(ConnectionEnd::ByClient(close))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Bytes that moved are signs of life: all that the client sent, and those that a blocked transport took.
    fn note_moved(&mut self, moved: BytesMoved, was_blocked: bool) {
        if moved == self.moved {
            return;
        }
        let now = Instant::now();
        let has_read = moved.reads != self.moved.reads;
        let has_unblocked = was_blocked && moved.writes != self.moved.writes;
        self.moved = moved;
        if has_unblocked {
            self.stall.progressed(now);
        }
        if (has_read || has_unblocked) && self.heartbeat.on_sign(now) {
            self.client.touch();
        }
    }

    /// Charges a frame that is no command. The error: the client has sent too many.
    fn charge_frame(&mut self) -> Result<(), ConnectionEnd> {
        let code = self.client.on_control_frame();
        code.map_or(Ok(()), |code| Err(ConnectionEnd::ByNode(code)))
    }

    /// Does everything that is due; returns the code to close with, if any.
    fn on_tick(&mut self, now: Instant) -> Option<CloseCode> {
        if let Some(code) = self.client.on_time() {
            return Some(code);
        }
        let limits = self.client.limits();
        let limit = limits.write_stall;
        let oldest_unacked = self.client.session().stuck_at(limits);
        self.stall.observe(oldest_unacked, now);
        if self.stall.is_stalled(limit, now) {
            return Some(CloseCode::TooSlow);
        }
        match self.heartbeat.beat(now) {
            Beat::Wait => None,
            Beat::Dead => Some(CloseCode::HeartbeatMissed),
            Beat::Ping => {
                self.writer.ping();
                None
            }
        }
    }

    /// The next moment at which something may be due.
    fn next_tick(&self) -> Instant {
        let now = Instant::now();
        let until_expiry = Duration::from_secs(self.client.next_time_s()).saturating_sub(unix_now());
        // Heartbeats are hours apart at most, so a token's far end never has to be added to an instant.
        let next = self
            .heartbeat
            .next_at()
            .min(now + until_expiry.clamp(SHORTEST_TICK, LONGEST_TICK));
        let stall = self.stall.deadline(self.client.limits().write_stall);
        stall.map_or(next, |deadline| next.min(deadline))
    }
}
