//! Reads one pub/sub connection: messages go to the node at once, confirmations into the table.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use switchboard_telemetry::{BusDrop, BusRebuild, RedisOp};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    super::{rooms, tables::ChannelRef},
    connection::Connection,
    ended::Ended,
    parser::{Frame, parse},
};
use crate::{
    partition::Partition,
    redis::{
        command::{presence, room_delta},
        probe_payload,
        refusal::Refusal,
        revocations,
    },
};

/// The receive buffer's usual size; a larger message makes it grow, and it shrinks again.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Frames handled before other tasks get their turn.
const FRAMES_PER_TURN: usize = 128;

/// How often the subscriptions desired and confirmed are exported while they change.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Reads until the connection is not fit any more.
pub(super) async fn run(connection: &Connection<'_>, mut reader: impl AsyncRead + Unpin) -> Ended {
    let shard = connection.shard;
    let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
    // Bytes of an oversized payload that are still to come.
    let mut skip = 0;
    let mut reported_at = Instant::now();
    loop {
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return Ended::new(BusRebuild::Closed, "Redis closed the pub/sub connection"),
            Ok(_) => {}
            Err(error) => {
                return Ended::new(
                    BusRebuild::Closed,
                    format!("the pub/sub connection broke: {error}"),
                );
            }
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
        // A copy of exactly the payload: a slice would keep the whole receive buffer alive for as long as one message
        // waits in a slow receiver's queue.
        Frame::Message { channel, payload } => match ChannelRef::parse(names, channel) {
            Some(ChannelRef::Peer(peer)) => connection
                .events
                .on_message(peer, Bytes::copy_from_slice(payload)),
            Some(ChannelRef::Room(room)) => on_room_message(connection, room, payload),
            Some(ChannelRef::Presence(peer)) => on_presence(connection, peer, payload),
            Some(ChannelRef::Revocations) => revocations::on_published(shard, payload, connection.events),
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
                Some(channel @ ChannelRef::Revocations) => {
                    shard.tables.lock().subscriptions.subscribed(channel);
                    // Those from before are read now.
                    shard.revocations_due.notify_one();
                }
                None => return Ok(()),
            }
            wake_writer(connection);
        }
        Frame::Unsubscribed { channel } if channel == node_channel => {
            if let Some(detours) = &shard.detours {
                // The home has another master.
                detours.stale.notify_one();
            }
            return Err(Ended::new(
                BusRebuild::Protocol,
                "Redis ended the subscription of the node's own channel",
            ));
        }
        Frame::Unsubscribed { channel } => {
            if let Some(channel) = ChannelRef::parse(names, channel) {
                let was_asked = shard.tables.lock().subscriptions.unsubscribed(channel);
                if let Some(detours) = shard.detours.as_ref().filter(|_| !was_asked) {
                    // The slot has another master.
                    detours.stale.notify_one();
                }
                wake_writer(connection);
            }
        }
        // Counted and skipped by the caller.
        Frame::Oversized { .. } | Frame::Ok => {}
        Frame::Error(text) if is_moved(connection, text) => {}
        Frame::Error(text) => {
            let refusal = Refusal::of_text(RedisOp::Subscribe, text);
            return Err(Ended::new(BusRebuild::Protocol, refusal.text()));
        }
    }
    Ok(())
}

/// A Redis Cluster has the slot of a subscription elsewhere: the map is read, and then the subscription is tried again, there.
fn is_moved(connection: &Connection<'_>, text: &[u8]) -> bool {
    let shard = connection.shard;
    let Some(detours) = &shard.detours else {
        return false;
    };
    let text = String::from_utf8_lossy(text);
    let slot = text
        .strip_prefix("MOVED ")
        .and_then(|rest| rest.split(' ').next());
    let Some(slot) = slot else {
        return false;
    };
    detours.stale.notify_one();
    let partition = slot.parse().ok().and_then(Partition::of_slot);
    // Without its own channel a connection is of no use.
    let Some(partition) = partition.filter(|_| shard.health.is_subscriber_connected()) else {
        return false;
    };
    shard.tables.lock().subscriptions.refused(partition);
    true
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
