//! What `make run` builds is what `make test` has built: the dependencies that only tests have bring no features.
//! Otherwise cargo compiles tokio and everything above it twice (testkit/Cargo.toml says how to avoid it).

use std::{collections::BTreeSet, process::Command};

use crate::root;

#[test]
fn dependencies_of_tests_bring_no_features() {
    let (run, test) = (features("no-dev"), features("normal,build,dev"));
    let only_test: Vec<_> = test.difference(&run).collect();
    assert!(
        only_test.is_empty(),
        "`make run` would compile these again: {only_test:#?}"
    );
}

/// Each package of the graph with its features.
fn features(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--workspace",
            "--no-dedupe",
            "--prefix",
            "none",
        ])
        .args(["--edges", edges, "--format", "{p} [{f}]"])
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
