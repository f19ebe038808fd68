//! One WebSocket connection: a single task that reads frames, writes what its mailbox holds, and keeps its
//! timers. Its decisions are `core`'s; here is only their timing on a socket.
//!
//! Contract: always be ready to write. A read never waits for another peer, a write never holds up a read,
//! and reading stops only while this client's own sends pile up.

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _, future::BoxFuture};
use switchboard_core::{Attachment, CommandEffect, CommandGate, Outgoing, SendRequest};
use switchboard_protocol::{CloseCode, Event, MessageHead, write_delivered, write_message};
use switchboard_telemetry::ConnectionGuard;
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::{
    Edge,
    close::{End, Goodbye},
    heartbeat::{Beat, Heartbeat},
    ice::unix_now,
    upgrade::Socket,
    wire::Wire,
};

/// Frames read, or written, before the other direction gets its turn.
const TURN: usize = 64;

/// The timer is never set closer than this, so that a clock that stands still cannot spin it …
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// … nor further than this.
const LONGEST_TICK: Duration = Duration::from_secs(3600);

/// An attached client.
pub(crate) struct Connection {
    edge: Arc<Edge>,
    attachment: Attachment,
    session: CommandGate,
    heartbeat: Heartbeat,
    /// The number of the newest message in the socket's buffer.
    gathered: u64,
    /// Whether the client acknowledges; else a message is done when the kernel has taken it.
    acks: bool,
    needs_flush: bool,
    ping_due: bool,
    blocked_since: Option<Instant>,
    /// With a full queue: which message the client has not acknowledged, and since when.
    stuck: Option<(u64, Instant)>,
    renewing: Option<BoxFuture<'static, Renewal>>,
    _gauge: ConnectionGuard,
}

/// The outcome of verifying a newer token, applied to the session when it is there.
type Renewal = (Option<u64>, Result<switchboard_protocol::Grant, String>);

impl Connection {
    pub(crate) fn new(
        edge: Arc<Edge>,
        attachment: Attachment,
        session: CommandGate,
        acks: bool,
        gauge: ConnectionGuard,
    ) -> Self {
        let heartbeat = Heartbeat::new(edge.router.limits().heartbeat, rand::random(), Instant::now());
        Self {
            edge,
            attachment,
            session,
            heartbeat,
            gathered: 0,
            acks,
            needs_flush: false,
            ping_due: false,
            blocked_since: None,
            stuck: None,
            renewing: None,
            _gauge: gauge,
        }
    }

    /// Runs until the connection ends, and says how it should be closed.
    pub(crate) async fn run(&mut self, socket: &mut Socket) -> End {
        let mut timer = pin!(tokio::time::sleep_until(self.next_tick().into()));
        let end = poll_fn(|cx| self.poll(cx, socket, timer.as_mut())).await;
        self.attachment.on_disconnect(end.parting());
        self.edge.telemetry.connection_closed(end.code());
        end
    }

    fn poll(&mut self, cx: &mut Context<'_>, socket: &mut Socket, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        loop {
            while timer.as_mut().poll(cx).is_ready() {
                if let Some(end) = self.on_tick(Instant::now()) {
                    return Poll::Ready(end);
                }
                timer.as_mut().reset(self.next_tick().into());
            }
            self.poll_renewal(cx);
            if self.attachment.session().has_probe() {
                self.attachment.session().clear_probe();
                self.heartbeat.ask(Instant::now());
                self.ping_due = true;
                timer.as_mut().reset(self.next_tick().into());
                continue;
            }
            let was_blocked = self.blocked_since.is_some();
            let mut is_idle = true;
            match self.poll_write(cx, socket) {
                Poll::Ready(Ok(())) => is_idle = false,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending if !was_blocked && self.blocked_since.is_some() => {
                    // The stall has a deadline of its own; the loop polls the timer once more.
                    timer.as_mut().reset(self.next_tick().into());
                    is_idle = false;
                }
                Poll::Pending => {}
            }
            let was_renewing = self.renewing.is_some();
            match self.poll_read(cx, socket) {
                Poll::Ready(Ok(())) => is_idle = false,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => {}
            }
            // A renewal that has just begun must be polled once, or nothing would ever wake it.
            is_idle &= was_renewing || self.renewing.is_none();
            if is_idle {
                return Poll::Pending;
            }
        }
    }

    /// Pending when the mailbox is empty or the socket is full; both have then noted the waker.
    fn poll_write(&mut self, cx: &mut Context<'_>, socket: &mut Socket) -> Poll<Result<(), End>> {
        let mut is_empty = false;
        let mut written = 0;
        while written < TURN && socket.get_ref().has_room() {
            if std::mem::take(&mut self.ping_due) {
                socket.get_mut().ping();
                self.needs_flush = true;
            }
            let Poll::Ready(outgoing) = self.attachment.session().poll_next(cx) else {
                is_empty = true;
                break;
            };
            if let Err(code) = self.gather(outgoing, socket.get_mut()) {
                return Poll::Ready(Err(End::Told(code)));
            }
            self.needs_flush = true;
            written += 1;
        }
        if self.needs_flush {
            match Pin::new(&mut *socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushed(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(End::from_error(&error))),
                Poll::Pending => {
                    self.blocked_since.get_or_insert_with(Instant::now);
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

    fn gather(&mut self, outgoing: Outgoing, wire: &mut Wire) -> Result<(), CloseCode> {
        let bytes = match outgoing {
            Outgoing::Delivery(forward) => {
                let (kind, from) = (forward.kind, forward.from.peer());
                let head = MessageHead {
                    kind,
                    from,
                    mid: forward.mid,
                    seq: forward.seq,
                };
                let bytes = wire.text(|out| write_message(out, &head, &forward.payload));
                self.gathered = forward.seq;
                bytes
            }
            Outgoing::Delivered(id) => wire.text(|out| write_delivered(out, id)),
            Outgoing::Event(event) => wire.text(|out| out.extend_from_slice(event.to_json().as_bytes())),
            Outgoing::Close(code) => return Err(code),
        };
        self.edge.telemetry.message_out(bytes);
        Ok(())
    }

    /// The kernel has taken everything: now it may be called delivered, unless the client has the word.
    fn flushed(&mut self) {
        self.needs_flush = false;
        self.blocked_since = None;
        if !self.acks {
            self.attachment
                .router()
                .done(self.attachment.session(), self.gathered);
        }
    }

    /// Ready(Ok) when a whole turn was read and more may wait.
    fn poll_read(&mut self, cx: &mut Context<'_>, socket: &mut Socket) -> Poll<Result<(), End>> {
        for _ in 0..TURN {
            if !self
                .attachment
                .session()
                .may_send_more(self.attachment.router().limits())
            {
                // A final word frees room, and it wakes this task through the mailbox.
                return Poll::Pending;
            }
            let message = match ready!(Pin::new(&mut *socket).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Err(End::from_error(&error))),
                None => return Poll::Ready(Err(End::Lost)),
            };
            if self.heartbeat.heard(Instant::now()) {
                self.attachment.touch();
            }
            match message {
                Message::Text(text) => {
                    if let Some(code) = self.on_text(text) {
                        return Poll::Ready(Err(End::Told(code)));
                    }
                }
                Message::Binary(_) => return Poll::Ready(Err(End::Told(CloseCode::BinaryFrame))),
                // tungstenite has queued the pong; it leaves with the next flush.
                Message::Ping(_) => self.needs_flush = true,
                Message::Pong(_) | Message::Frame(_) => {}
                Message::Close(frame) => {
                    return Poll::Ready(Err(End::ByClient(Goodbye::from_frame(frame.as_ref()))));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn on_text(&mut self, text: Utf8Bytes) -> Option<CloseCode> {
        let router = Arc::clone(self.attachment.router());
        let now_ms = u64::try_from(unix_now().as_millis()).unwrap_or(u64::MAX);
        let effect = self.session.on_text(&text, now_ms, router.limits());
        if let CommandEffect::Send {
            to,
            kind,
            payload,
            id,
        } = effect
        {
            self.edge.telemetry.message_in(kind, text.len());
            // A slice of the frame: the payload is not copied.
            let start = payload.as_ptr() as usize - text.as_str().as_ptr() as usize;
            let end = start + payload.len();
            let payload = Bytes::from(text).slice(start..end);
            router.send(
                self.attachment.session(),
                SendRequest {
                    to,
                    kind,
                    payload,
                    id,
                },
            );
            return None;
        }
        self.carry_out(effect)
    }

    fn carry_out(&mut self, effect: CommandEffect<'_>) -> Option<CloseCode> {
        let peer = self.attachment.session();
        match effect {
            CommandEffect::Nothing | CommandEffect::Send { .. } => {}
            CommandEffect::Close(code) => return Some(code),
            // Without `acks=client` it says nothing that the node does not know.
            CommandEffect::Ack { seq, late } if self.acks => {
                let (router, seq) = (self.attachment.router(), seq.min(self.gathered));
                if late {
                    router.refused(peer, seq);
                } else {
                    router.done(peer, seq);
                }
            }
            CommandEffect::Ack { .. } => {}
            CommandEffect::Reply(event) => {
                if let Event::Error { code, .. } = &event {
                    self.edge.telemetry.command_error(*code);
                }
                peer.push_event(event);
            }
            CommandEffect::Ice { id } => {
                let answer = self.edge.ice_servers(peer.key());
                peer.push_event(Event::Ice {
                    id,
                    ice_servers: answer.ice_servers,
                    expires_at: answer.expires_at,
                });
            }
            CommandEffect::Renew { token, id } => self.renew(token, id),
        }
        None
    }

    /// Verifying may wait for a key server, so it runs beside reading and writing; one at a time.
    fn renew(&mut self, token: String, id: Option<u64>) {
        if self.renewing.is_some() {
            self.attachment.session().push_event(CommandGate::not_renewed(
                id,
                "an earlier `renew` is still under way".into(),
            ));
            return;
        }
        let edge = Arc::clone(&self.edge);
        self.renewing = Some(Box::pin(async move {
            (
                id,
                edge.verifier
                    .verify(&token)
                    .await
                    .map_err(|error| error.to_string()),
            )
        }));
    }

    fn poll_renewal(&mut self, cx: &mut Context<'_>) {
        let Some(renewing) = &mut self.renewing else {
            return;
        };
        let Poll::Ready((id, outcome)) = renewing.as_mut().poll(cx) else {
            return;
        };
        self.renewing = None;
        let answer = match outcome {
            Ok(grant) => self.session.renewed(grant, id),
            Err(reason) => CommandGate::not_renewed(id, reason),
        };
        self.attachment.session().push_event(answer);
    }

    fn on_tick(&mut self, now: Instant) -> Option<End> {
        let effect = self.session.on_time(unix_now().as_secs());
        if let Some(code) = self.carry_out(effect) {
            return Some(End::Told(code));
        }
        let stall = self.attachment.router().limits().write_stall;
        if self
            .blocked_since
            .is_some_and(|since| now.duration_since(since) >= stall)
        {
            return Some(End::Told(CloseCode::TooSlow));
        }
        if self.is_stuck(now, stall) {
            return Some(End::Told(CloseCode::TooSlow));
        }
        match self.heartbeat.beat(now) {
            Beat::Wait => None,
            Beat::Dead => Some(End::Told(CloseCode::HeartbeatMissed)),
            Beat::Ping => {
                self.ping_due = true;
                None
            }
        }
    }

    /// Whether the client has acknowledged nothing for `stall` while its queue was full. Looked at with every
    /// heartbeat, so it may take one longer.
    fn is_stuck(&mut self, now: Instant, stall: Duration) -> bool {
        let at = self
            .attachment
            .session()
            .stuck_at(self.attachment.router().limits());
        self.stuck = at.map(|at| match self.stuck {
            Some((before, since)) if before == at => (at, since),
            Some(_) | None => (at, now),
        });
        self.stuck
            .is_some_and(|(_, since)| now.duration_since(since) >= stall)
    }

    /// The next moment at which something may be due.
    fn next_tick(&self) -> Instant {
        let now = Instant::now();
        let until_expiry = Duration::from_secs(self.session.next_time_s()).saturating_sub(unix_now());
        let stall = self.attachment.router().limits().write_stall;
        // Heartbeats are hours apart at most, so a token's far end never has to be added to an instant.
        let next = self
            .heartbeat
            .next_at()
            .min(now + until_expiry.clamp(SHORTEST_TICK, LONGEST_TICK));
        self.blocked_since.map_or(next, |since| next.min(since + stall))
    }
}
