//! The decoders of bytes from the network, for fuzz targets. Not part of the API.

use crate::{
    keys,
    redis::{parse_frame, probe_payload, snapshot_text},
};

/// Reads frames from `bytes` as the subscriber does; how many there were, or `None` if the connection would end.
#[must_use]
pub fn pubsub_frames(mut bytes: &[u8]) -> Option<usize> {
    let mut frames = 0;
    loop {
        match parse_frame(bytes) {
            Ok(Some((_, length))) => {
                bytes = bytes.get(length..)?;
                frames += 1;
            }
            Ok(None) => return Some(frames),
            Err(_) => return None,
        }
    }
}

/// Reads `bytes` as the name of a peer's channel.
#[must_use]
pub fn channel_name(bytes: &[u8]) -> bool {
    keys::peer_of_channel(bytes).is_some()
}

/// Reads `bytes` as a probe.
#[must_use]
pub fn probe(bytes: &[u8]) -> bool {
    probe_payload::decode(bytes).is_some()
}

/// Reads `bytes` as the two texts of a snapshot in a peer's record: accepted ranges and unacknowledged tail.
#[must_use]
pub fn snapshot(bytes: &[u8]) -> bool {
    let ranges = std::str::from_utf8(bytes)
        .ok()
        .and_then(snapshot_text::read_ranges);
    ranges.is_some() || !snapshot_text::read_tail(bytes).is_empty()
}
