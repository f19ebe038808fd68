//! The seeds of the fuzz targets, as tests: the same properties, without a fuzzer.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

#[allow(unreachable_pub, reason = "the fuzz targets need it public")]
#[path = "../../../fuzz/src/protocol.rs"]
mod properties;

use std::path::Path;

#[test]
fn the_seeds_of_each_fuzz_target_have_its_property() {
    for (name, property) in properties::CHECKS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(name);
        let mut seeds = 0;
        for seed in std::fs::read_dir(&folder).expect("each target has seeds") {
            property(&std::fs::read(seed.expect("a readable folder").path()).expect("a readable seed"));
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seeds");
    }
}
