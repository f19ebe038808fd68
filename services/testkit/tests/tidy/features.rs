//! What `make run` builds is what `make test` has built: the dependencies that only tests have bring no features.
//! Otherwise cargo compiles tokio and everything above it twice (testkit/Cargo.toml says how to avoid it). And what images
//! leave out.

use std::{collections::BTreeSet, process::Command};

use crate::root;

/// What both builds of the image pass to cargo.
const IMAGE: &str = "--no-default-features -p switchboard-node -p switchboard-loadtest";

#[test]
fn dependencies_of_tests_bring_no_features() {
    let (run, test) = (features("no-dev"), features("normal,build,dev"));
    let only_test: Vec<_> = test.difference(&run).collect();
    assert!(
        only_test.is_empty(),
        "`make run` would compile these again: {only_test:#?}"
    );
}

#[test]
fn images_link_one_crypto_library() {
    for recipe in ["deploy/Dockerfile", "deploy/image/build"] {
        let text = std::fs::read_to_string(root().join(recipe)).unwrap();
        assert!(text.contains(IMAGE), "{recipe} builds something else");
    }
    let image = tree(IMAGE.split(' '), "normal,build", "{p}");
    let names: BTreeSet<_> = image
        .iter()
        .filter_map(|package| package.split(' ').next())
        .collect();
    assert!(names.contains("aws-lc-rs"), "{names:?}");
    for other in ["ring", "openssl-sys"] {
        assert!(!names.contains(other), "{other}: cargo tree {IMAGE} -i {other}");
    }
}

/// Each package of the graph with its features.
fn features(edges: &str) -> BTreeSet<String> {
    tree(["--workspace"].into_iter(), edges, "{p} [{f}]")
}

/// The lines of `cargo tree`, without their order.
fn tree<'a>(packages: impl Iterator<Item = &'a str>, edges: &str, format: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--no-dedupe", "--prefix", "none"])
        .args(packages)
        .args(["--edges", edges, "--format", format])
        // Where it is set, every package has the features that any other one wants.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let packages: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert!(packages.iter().any(|package| package.starts_with("tokio ")));
    packages
}
