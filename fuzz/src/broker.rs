//! Properties of the decoders in `switchboard-broker`; they stand in that crate, because they use private parts.

/// Every check of this file by the name of its fuzz target.
pub const CHECKS: [crate::protocol::Check; 5] = [
    ("redis_frames", pubsub_frames),
    ("redis_channel", channel_name),
    ("redis_probe", probe),
    ("redis_snapshot", snapshot),
    ("redis_replies", replies),
];

pub use switchboard_broker::fuzzing::{channel_name, probe, pubsub_frames, replies, snapshot};
