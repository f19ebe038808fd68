//! The seeds of the fuzz targets of this crate, as tests: the same properties, without a fuzzer.

#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use switchboard_auth::fuzzing;

#[test]
fn the_seeds_of_each_fuzz_target_have_its_property() {
    let targets: [(&str, fn(&[u8])); 3] = [
        ("jwt", fuzzing::token),
        ("jwt_claims", fuzzing::claims),
        ("jwks", fuzzing::key_set),
    ];
    for (name, property) in targets {
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
