//! Properties of the decoders in `switchboard-broker`; they stand in that crate, because they use private parts.

pub use switchboard_broker::fuzzing::{
    channel_name, presence, probe, pubsub_frames, replies, rooms, snapshot,
};
