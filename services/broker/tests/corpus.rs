//! The seeds of the fuzz targets of this crate, as tests: the same properties, without a fuzzer.

#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

use switchboard_broker::fuzzing;

#[allow(unreachable_pub, reason = "the fuzz targets need it public")]
#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;

#[test]
fn the_seeds_of_each_fuzz_target_have_its_property() {
    seeds::have_properties(&[
        ("redis_frames", fuzzing::pubsub_frames),
        ("redis_channel", fuzzing::channel_name),
        ("redis_presence", fuzzing::presence),
        ("redis_probe", fuzzing::probe),
        ("redis_snapshot", fuzzing::snapshot),
        ("redis_replies", fuzzing::replies),
        ("redis_rooms", fuzzing::rooms),
    ]);
}
