//! The seeds of the fuzz targets of this crate, as tests: the same properties, without a fuzzer.

#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

use switchboard_edge::fuzzing;

#[allow(unreachable_pub, reason = "the fuzz targets need it public")]
#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;

#[test]
fn the_seeds_of_each_fuzz_target_have_its_property() {
    seeds::have_properties(&[("proxy_header", fuzzing::proxy_header)]);
}
