//! One pub/sub connection's life: a reader, a writer and the probe, as one future that ends when any of
//! them finds the connection unfit. Not its replacement (`subscriber`).

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use switchboard_core::BrokerEvents;
use switchboard_telemetry::BusRebuild;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::Notify,
    time::{MissedTickBehavior, timeout},
};

use super::{
    super::{
        command::Command,
        health::Side,
        keys,
        probe::{self, DedupVerdict},
        shared::Shared,
    },
    Ended,
    desired::Change,
    dial::{write_header, write_word},
    parser::{Frame, parse},
};

/// The most channels in one SUBSCRIBE.
const MAX_BATCH_CHANNELS: usize = 512;

/// The receive buffer's usual size; a larger message makes it grow, and it shrinks again.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Frames handled before other tasks get their turn.
const FRAMES_PER_TURN: usize = 128;

/// How often the node proves that it hears.
const PROBE_EVERY: Duration = Duration::from_millis(800);

/// How long a probe may take. Shorter than [`PROBE_EVERY`], so that three misses are seen within 3 s.
const PROBE_PATIENCE: Duration = Duration::from_millis(600);

/// Probes missed in a row after which the node calls itself deaf; one may be a hiccup.
const DEAF_AT_MISSES: u32 = 2;

/// Probes missed in a row after which the connection is replaced.
const MAX_MISSES: u32 = 3;

/// Probes missed in a row while other frames keep coming: the node is behind rather than deaf, and a
/// rebuild would make that worse. After this many it is taken for deaf all the same.
const MAX_LAGS: u32 = 10;

/// Confirmations may be this late before the connection counts as broken.
const CONFIRMATION_PATIENCE: Duration = Duration::from_secs(5);

/// How often desired against confirmed is exported while it changes.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// One connection.
pub(super) struct Connection<'a> {
    shared: &'a Shared,
    events: &'a dyn BrokerEvents,
    generation: u64,
    inbox: String,
    inbox_confirmed: Notify,
    frames: AtomicU64,
}

impl<'a> Connection<'a> {
    pub(super) fn new(shared: &'a Shared, events: &'a dyn BrokerEvents, generation: u64) -> Self {
        Self {
            shared,
            events,
            generation,
            inbox: keys::inbox(shared.node.as_str()),
            inbox_confirmed: Notify::new(),
            frames: AtomicU64::new(0),
        }
    }

    /// Lives as long as the connection is fit.
    pub(super) async fn run(self, stream: TcpStream) -> Ended {
        // Before anything is read: a lease that ran out earlier must not end this connection again.
        if self.shared.lease.may_be_lost() {
            self.shared.lease.check_begins();
            self.shared.desired.lock().hold();
        }
        let (reader, writer) = stream.into_split();
        tokio::select! {
            ended = self.read(reader) => ended,
            ended = self.write(writer) => ended,
            ended = self.probe() => ended,
        }
    }

    async fn read(&self, mut reader: OwnedReadHalf) -> Ended {
        let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
        let mut reported_at = Instant::now();
        loop {
            match reader.read_buf(&mut buffer).await {
                Ok(0) => return Ended::new(BusRebuild::Closed, "Redis closed the pub/sub connection"),
                Ok(_) => {}
                Err(error) => return Ended::new(BusRebuild::Closed, error.to_string()),
            }
            // A node that was frozen has a buffer full of messages that others may have delivered.
            if self.shared.lease.may_be_lost() && !self.shared.desired.lock().is_held() {
                return Ended::new(
                    BusRebuild::Deaf,
                    "the lease ran out; claims have to be checked first",
                );
            }
            if let Err(ended) = self.handle_all(&mut buffer).await {
                return ended;
            }
            if buffer.is_empty() && buffer.capacity() > 4 * READ_BUFFER_BYTES {
                buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
            }
            buffer.reserve(READ_BUFFER_BYTES / 4);
            if reported_at.elapsed() >= REPORT_EVERY {
                reported_at = Instant::now();
                self.shared.report_subscriptions();
            }
        }
    }

    async fn handle_all(&self, buffer: &mut BytesMut) -> Result<(), Ended> {
        let mut handled = 0;
        loop {
            let length = match parse(buffer) {
                Ok(Some((frame, length))) => {
                    self.handle(&frame)?;
                    length
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(Ended::new(BusRebuild::Protocol, error.to_string())),
            };
            buffer.advance(length);
            self.frames.fetch_add(1, Ordering::Relaxed);
            handled += 1;
            if handled % FRAMES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn handle(&self, frame: &Frame<'_>) -> Result<(), Ended> {
        match *frame {
            Frame::Message { channel, payload } if channel == self.inbox.as_bytes() => {
                self.on_node_message(payload)
            }
            Frame::Message { channel, payload } => {
                if let Some(peer) = keys::peer_of_channel(channel) {
                    // A copy of exactly the payload: a slice would keep the whole receive buffer alive for
                    // as long as one message waits in a slow receiver's queue.
                    self.events.on_message(peer, Bytes::copy_from_slice(payload));
                }
            }
            Frame::Subscribed { channel } if channel == self.inbox.as_bytes() => {
                self.inbox_confirmed.notify_one();
            }
            Frame::Subscribed { channel } => {
                if let Some(peer) = keys::peer_of_channel(channel) {
                    if self.shared.desired.lock().subscribed(peer) {
                        self.shared.chores.notify_one();
                    }
                    self.wake_writer();
                }
            }
            Frame::Unsubscribed { channel } if channel == self.inbox.as_bytes() => {
                return Err(Ended::new(
                    BusRebuild::Protocol,
                    "Redis ended the inbox's subscription",
                ));
            }
            Frame::Unsubscribed { channel } => {
                if let Some(peer) = keys::peer_of_channel(channel) {
                    self.shared.desired.lock().unsubscribed(peer);
                    self.wake_writer();
                }
            }
            Frame::Ok => {}
            Frame::Error(text) => {
                let why = format!("Redis refused a subscription: {}", text.escape_ascii());
                return Err(Ended::new(BusRebuild::Protocol, why));
            }
        }
        Ok(())
    }

    fn on_node_message(&self, payload: &[u8]) {
        match probe::decode(payload) {
            Some(nonce) => {
                if let Some(took) = self.shared.probe.came_back(nonce) {
                    self.shared.telemetry.bus_probe_seconds(took);
                }
            }
            None => self.events.on_node_message(Bytes::copy_from_slice(payload)),
        }
    }

    fn wake_writer(&self) {
        if self.shared.desired.lock().has_changes() {
            self.shared.changes.notify_one();
        }
    }

    /// Sends what has to change. What gathers while a write is under way goes out together.
    async fn write(&self, mut writer: OwnedWriteHalf) -> Ended {
        let mut out = Vec::new();
        write_header(2, &mut out);
        write_word(b"SUBSCRIBE", &mut out);
        write_word(self.inbox.as_bytes(), &mut out);
        loop {
            if let Err(error) = writer.write_all(&out).await {
                return Ended::new(BusRebuild::Closed, error.to_string());
            }
            out.clear();
            out.shrink_to(READ_BUFFER_BYTES);
            while out.is_empty() {
                let changes = self.shared.desired.lock().take_changes(MAX_BATCH_CHANNELS);
                if changes.is_empty() {
                    self.shared.changes.notified().await;
                } else {
                    encode(&changes, &mut out);
                }
            }
        }
    }

    /// Proves every second that the node hears.
    async fn probe(&self) -> Ended {
        self.inbox_confirmed.notified().await;
        self.shared.desired.lock().begin();
        self.shared.health.bus_connected(true);
        tracing::debug!(generation = self.generation, "the inbox is subscribed");
        self.shared.changes.notify_one();
        self.shared.link_retry.notify_one();
        self.shared.chores.notify_one();
        let mut misses = 0;
        let mut lags = 0;
        let mut late_since = None;
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.shared.report_subscriptions();
            let before = self.shared.desired.lock().confirmations();
            let frames = self.frames.load(Ordering::Relaxed);
            let nonce = self.shared.probe.begin();
            if self.shared.send(Command::Probe { nonce }).is_ok() {
                let heard = async {
                    while self.shared.probe.verdict() != DedupVerdict::Heard {
                        self.shared.probe.heard.notified().await;
                    }
                };
                // Silence is judged below.
                let _ = timeout(PROBE_PATIENCE, heard).await;
            }
            match self.shared.probe.verdict() {
                DedupVerdict::Heard => {
                    (misses, lags) = (0, 0);
                    self.shared.health.bus(Side::Up);
                }
                DedupVerdict::Missed => {
                    if self.frames.load(Ordering::Relaxed) == frames {
                        misses += 1;
                    } else {
                        lags += 1;
                    }
                    self.shared.telemetry.bus_probe_missed();
                    if misses >= DEAF_AT_MISSES {
                        self.shared.health.bus(Side::Deaf);
                    }
                    if misses >= MAX_MISSES || lags >= MAX_LAGS {
                        return Ended::new(BusRebuild::Deaf, "the node does not hear its own probes");
                    }
                }
                // The other direction is down, and its state says so.
                DedupVerdict::NotPublished => {}
            }
            let desired = self.shared.desired.lock();
            let is_late = desired.outstanding() > 0 && desired.confirmations() == before;
            drop(desired);
            late_since = if is_late {
                late_since.or(Some(Instant::now()))
            } else {
                None
            };
            if late_since.is_some_and(|since| since.elapsed() >= CONFIRMATION_PATIENCE) {
                return Ended::new(BusRebuild::Protocol, "Redis does not confirm subscriptions");
            }
        }
    }
}

/// At most one SUBSCRIBE and one UNSUBSCRIBE; no channel is in both.
fn encode(changes: &[(switchboard_protocol::PeerKey, Change)], out: &mut Vec<u8>) {
    let mut channel = Vec::new();
    for (change, name) in [
        (Change::Subscribe, &b"SUBSCRIBE"[..]),
        (Change::Unsubscribe, b"UNSUBSCRIBE"),
    ] {
        let keys = || changes.iter().filter(|(_, wanted)| *wanted == change);
        let count = keys().count();
        if count > 0 {
            write_header(1 + count, out);
            write_word(name, out);
            for (key, _) in keys() {
                channel.clear();
                keys::write_channel(key.as_str(), &mut channel);
                write_word(&channel, out);
            }
        }
    }
}
