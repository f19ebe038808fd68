//! The seeded corpus as tests of the crates, without a fuzzer. Included by path, because the fuzz crate is no
//! dependency of the crates that it fuzzes.

use std::path::Path;

/// The name of a fuzz target, and its property.
pub type Target = (&'static str, fn(&[u8]));

/// Runs each target's property over all of its seeds.
///
/// # Panics
/// When a target has no seeds, or a property does not hold.
pub fn have_properties(targets: &[Target]) {
    for (name, property) in targets {
        let folder = corpus().join(name);
        let mut seeds = 0;
        for seed in std::fs::read_dir(&folder).expect("each target has seeds") {
            property(&std::fs::read(seed.expect("a readable folder").path()).expect("a readable seed"));
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seeds");
    }
}

/// The folder of all seeds, from any crate of the workspace.
fn corpus() -> std::path::PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above
        .find_map(|folder| Some(folder.join("fuzz/corpus")).filter(|corpus| corpus.is_dir()))
        .expect("the repository has a corpus")
}
