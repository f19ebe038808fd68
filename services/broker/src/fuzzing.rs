//! The decoders of bytes from the network with what must hold for all bytes, for fuzz targets. Not part of the API.

use redis::Value;
use switchboard_core::{RoomChange, RoomEntry, RoomLeave};
use switchboard_protocol::{LeaveReason, PeerId, PeerKey, RoomKey};

use crate::{
    keys::Names,
    partition::Partition,
    redis::{
        claims, offline_queue, owner, parse_frame, presence, probe_payload, room_delta, rooms, snapshot_text,
    },
};

/// Frames of the subscriber: a frame is found in its own bytes alone, and in no part of them.
///
/// # Panics
/// When that does not hold.
pub fn pubsub_frames(mut bytes: &[u8]) {
    while let Ok(Some((frame, length))) = parse_frame(bytes) {
        let (own, rest) = bytes.split_at(length);
        assert_eq!(parse_frame(own), Ok(Some((frame, length))));
        for end in 0..length.min(64) {
            assert_eq!(parse_frame(&own[..end]), Ok(None));
        }
        bytes = rest;
    }
}

/// The name of a peer's or a room's channel: a name that is built from a key gives the key back.
///
/// # Panics
/// When that does not hold.
pub fn channel_name(bytes: &[u8]) {
    let names = Names::default();
    if let Some(room) = names
        .room_of_channel(bytes)
        .and_then(|room| RoomKey::parse(room).ok())
    {
        let mut channel = Vec::new();
        names.write_room_channel(Partition::of(room.as_str()), room.as_str(), &mut channel);
        assert_eq!(names.room_of_channel(&channel), Some(room.as_str()));
    }
    let Some(key) = names
        .peer_of_channel(bytes)
        .and_then(|peer| PeerKey::parse(peer).ok())
    else {
        return;
    };
    let mut channel = Vec::new();
    names.write_channel(Partition::of(key.as_str()), key.as_str(), &mut channel);
    assert_eq!(names.peer_of_channel(&channel), Some(key.as_str()));
}

/// A change on a presence channel, and the name of a detached session: a value that is read, once written, reads the same.
///
/// # Panics
/// When that does not hold.
pub fn presence(bytes: &[u8]) {
    if let Some((fence, state)) = presence::read_change(bytes) {
        let state = format!("{state:?}").to_lowercase();
        let written = format!("{fence} {state}");
        assert_eq!(
            presence::read_change(written.as_bytes()),
            presence::read_change(bytes)
        );
    }
    let text = std::str::from_utf8(bytes).ok();
    if let Some(session) = text.and_then(presence::DetachedSession::read) {
        assert_eq!(presence::DetachedSession::read(&session.name()), Some(session));
    }
}

/// A probe on a node's own channel: a probe that is read is written the same.
///
/// # Panics
/// When that does not hold.
pub fn probe(bytes: &[u8]) {
    if let Some(nonce) = probe_payload::decode(bytes) {
        assert_eq!(probe_payload::encode(nonce), bytes);
    }
}

/// The two texts of a snapshot in a peer's record: a text that is read, once written, reads the same.
///
/// # Panics
/// When that does not hold.
pub fn snapshot(bytes: &[u8]) {
    let tail = snapshot_text::read_tail(bytes);
    let written = snapshot_text::write_tail(&tail);
    assert!(bytes.starts_with(&written));
    let text = std::str::from_utf8(bytes).ok();
    if let Some(ranges) = text.and_then(snapshot_text::read_ranges) {
        let written = snapshot_text::write_ranges(&ranges);
        assert_eq!(snapshot_text::read_ranges(&written), Some(ranges));
    }
}

/// The texts of rooms: a change, and after a line break the value of a field. A field that is read keeps its name, and
/// nothing else is a change.
///
/// # Panics
/// When that does not hold.
pub fn rooms(bytes: &[u8]) {
    if let Some((delta, run)) = room_delta::read(bytes) {
        assert!(room_delta::is_delta(bytes));
        assert!(!run.contains(' '));
        let left = matches!(delta.change, RoomChange::Left { .. });
        assert_eq!(left, bytes.starts_with(b"-"));
    }
    let Some((field, value)) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.split_once('\n'))
    else {
        return;
    };
    if let Some((member, run)) = rooms::read_entry(field, value) {
        assert_eq!(member.peer.as_str(), field);
        assert!(!run.contains(' '));
    }
    for membership in rooms::read_notes(&[(field.into(), value.into())]) {
        assert_eq!(field.strip_prefix("r:"), Some(membership.room.as_str()));
    }
    let (roster, _) = rooms::read_roster(vec![(field.to_owned(), value.to_owned())]);
    assert!(roster.members.len() <= 1);
}

/// Replies of scripts and commands, whatever Redis says.
pub fn replies(bytes: &[u8]) {
    let Ok(reply) = redis::parse_redis_value(bytes) else {
        return;
    };
    let _ = owner::read(&reply);
    let _ = owner::read_lease(&reply);
    let _ = claims::read_claimed(&reply);
    let _ = claims::read_reasserted(&reply);
    let _ = offline_queue::read_store(&reply);
    let _ = offline_queue::read_charge_hold(&reply);
    let _ = offline_queue::read_messages(reply.clone());
    let _ = rooms::read_joined(reply.clone());
    let _ = rooms::read_reasserted(&reply);
    if let (Ok(room), Ok(peer)) = (RoomKey::parse("acme/lobby"), PeerId::new("bob")) {
        let leave = RoomLeave {
            room,
            peer,
            entry: RoomEntry::Any,
            reason: LeaveReason::Left,
        };
        let _ = rooms::read_left(&leave, &reply);
    }
    if let Value::Array(fields) = &reply {
        for field in fields {
            let _ = owner::read_lease(field);
        }
    }
}
