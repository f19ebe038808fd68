//! Reads one pub/sub connection: messages go to the node at once, confirmations into the table.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use switchboard_telemetry::{BusDrop, BusRebuild};
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};

use super::{
    super::{rooms, tables::ChannelRef},
    connection::Connection,
    ended::Ended,
    parser::{Frame, parse},
};
use crate::redis::{
    command::{presence, room_delta},
    probe_payload, revocations,
};

/// The receive buffer's usual size; a larger message makes it grow, and it shrinks again.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Frames handled before other tasks get their turn.
const FRAMES_PER_TURN: usize = 128;

/// How often the subscriptions desired and confirmed are exported while they change.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Reads until the connection is not fit any more.
pub(super) async fn run(connection: &Connection<'_>, mut reader: OwnedReadHalf) -> Ended {
    let shard = connection.shard;
    let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
    // Bytes of an oversized payload that are still to come.
    let mut skip = 0;
    let mut reported_at = Instant::now();
    loop {
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return Ended::new(BusRebuild::Closed, "Redis closed the pub/sub connection"),
            Ok(_) => {}
            Err(error) => return Ended::new(BusRebuild::Closed, error.to_string()),
        }
        // A node that was frozen has a buffer full of messages that others may have delivered.
        if shard.lease.may_be_lost() && !shard.tables.lock().subscriptions.is_paused() {
            return Ended::new(
                BusRebuild::Deaf,
                "the lease ran out; claims have to be checked first",
            );
        }
        skip = skip_bytes(&mut buffer, skip);
        if skip == 0 {
            skip = match handle_all(connection, &mut buffer).await {
                Ok(skip) => skip,
                Err(ended) => return ended,
            };
        }
        if buffer.is_empty() && buffer.capacity() > 4 * READ_BUFFER_BYTES {
            buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
        }
        buffer.reserve(READ_BUFFER_BYTES / 4);
        if reported_at.elapsed() >= REPORT_EVERY {
            reported_at = Instant::now();
            shard.report_subscriptions();
        }
    }
}

/// Drops up to `skip` bytes; returns how many are still to come.
fn skip_bytes(buffer: &mut BytesMut, skip: usize) -> usize {
    let here = skip.min(buffer.len());
    buffer.advance(here);
    skip - here
}

/// Handles every complete frame. Returns how many bytes are still to come of an oversized payload.
async fn handle_all(connection: &Connection<'_>, buffer: &mut BytesMut) -> Result<usize, Ended> {
    let mut handled = 0;
    loop {
        let (length, skip) = match parse(buffer) {
            Ok(Some((Frame::Oversized { channel, skip }, length))) => {
                let why = format!("{skip} bytes on {}", channel.escape_ascii());
                let telemetry = &connection.shard.telemetry;
                telemetry.bus_message_dropped(BusDrop::Oversized, &why);
                (length, skip)
            }
            Ok(Some((frame, length))) => {
                handle(connection, &frame)?;
                (length, 0)
            }
            Ok(None) => return Ok(0),
            Err(error) => return Err(Ended::new(BusRebuild::Protocol, error.to_string())),
        };
        buffer.advance(length);
        let skip = skip_bytes(buffer, skip);
        if skip > 0 {
            return Ok(skip);
        }
        connection.frames.fetch_add(1, Ordering::Relaxed);
        handled += 1;
        if handled % FRAMES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn handle(connection: &Connection<'_>, frame: &Frame<'_>) -> Result<(), Ended> {
    let (shard, node_channel) = (connection.shard, connection.node_channel.as_bytes());
    let names = &shard.caller.names;
    match *frame {
        Frame::Message { channel, payload } if channel == node_channel => {
            on_node_message(connection, payload);
        }
        Frame::Message { channel, payload } if channel == connection.revocations.as_bytes() => {
            revocations::on_published(shard, payload, connection.events);
        }
        // A copy of exactly the payload: a slice would keep the whole receive buffer alive for as long as one message
        // waits in a slow receiver's queue.
        Frame::Message { channel, payload } => match ChannelRef::parse(names, channel) {
            Some(ChannelRef::Peer(peer)) => connection
                .events
                .on_message(peer, Bytes::copy_from_slice(payload)),
            Some(ChannelRef::Room(room)) => on_room_message(connection, room, payload),
            Some(ChannelRef::Presence(peer)) => on_presence(connection, peer, payload),
            None => {}
        },
        Frame::Subscribed { channel } if channel == node_channel => {
            connection.node_channel_confirmed.notify_one();
        }
        Frame::Subscribed { channel } => {
            match ChannelRef::parse(names, channel) {
                Some(ChannelRef::Peer(peer)) => {
                    if shard.tables.lock().subscribed(peer) {
                        shard.claim_work.notify_one();
                    }
                }
                Some(ChannelRef::Room(room)) => rooms::subscribed(shard, connection.events, room),
                Some(channel @ ChannelRef::Presence(peer)) => {
                    shard.tables.lock().subscriptions.subscribed(channel);
                    connection.events.on_watching(peer);
                }
                None => return Ok(()),
            }
            wake_writer(connection);
        }
        Frame::Unsubscribed { channel }
            if channel == node_channel || channel == connection.revocations.as_bytes() =>
        {
            return Err(Ended::new(
                BusRebuild::Protocol,
                "Redis ended the subscription of a channel that every node has",
            ));
        }
        Frame::Unsubscribed { channel } => {
            if let Some(channel) = ChannelRef::parse(names, channel) {
                shard.tables.lock().subscriptions.unsubscribed(channel);
                wake_writer(connection);
            }
        }
        // Counted and skipped by the caller.
        Frame::Oversized { .. } | Frame::Ok => {}
        Frame::Error(text) => {
            let why = format!("Redis refused a subscription: {}", text.escape_ascii());
            return Err(Ended::new(BusRebuild::Protocol, why));
        }
    }
    Ok(())
}

fn on_room_message(connection: &Connection<'_>, room: &str, payload: &[u8]) {
    if room_delta::is_delta(payload) {
        rooms::on_delta(connection.shard, connection.events, room, payload);
    } else {
        connection
            .events
            .on_room_message(room, Bytes::copy_from_slice(payload));
    }
}

fn on_node_message(connection: &Connection<'_>, payload: &[u8]) {
    match probe_payload::decode(payload) {
        Some(nonce) => {
            if let Some(took) = connection.shard.probe.on_received(nonce) {
                connection.shard.telemetry.bus_probe_seconds(took);
            }
        }
        None => connection.events.on_node_message(Bytes::copy_from_slice(payload)),
    }
}

/// What no script of this version publishes is dropped.
fn on_presence(connection: &Connection<'_>, peer: &str, payload: &[u8]) {
    match presence::read_change(payload) {
        Some((fence, state)) => connection.events.on_presence(peer, fence, state),
        None => {
            let telemetry = &connection.shard.telemetry;
            telemetry.bus_message_dropped(BusDrop::Malformed, &"a change of presence");
        }
    }
}

fn wake_writer(connection: &Connection<'_>) {
    if connection.shard.tables.lock().subscriptions.has_changes() {
        connection.shard.subscription_changes.notify_one();
    }
}
