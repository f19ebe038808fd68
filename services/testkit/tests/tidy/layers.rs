//! Which crate may link which, and which library stays in which crate. Development dependencies are free.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::root;

/// What each crate of the workspace may link of the others.
const LAYERS: [(&str, &[&str]); 13] = [
    ("protocol", &[]),
    ("telemetry", &["protocol"]),
    ("auth", &["protocol"]),
    ("client", &["protocol"]),
    ("core", &["protocol", "telemetry"]),
    ("broker", &["protocol", "telemetry", "core"]),
    ("counts", &["protocol", "telemetry", "core"]),
    ("edge", &["protocol", "telemetry", "auth", "core"]),
    ("webhooks", &["protocol", "telemetry", "core"]),
    (
        "node",
        &[
            "protocol",
            "telemetry",
            "auth",
            "core",
            "broker",
            "edge",
            "webhooks",
            "client",
        ],
    ),
    ("harness", &["protocol", "client"]),
    ("testkit", &["protocol", "auth", "client", "node", "harness"]),
    ("loadtest", &["protocol", "auth", "client", "harness"]),
];

/// Libraries that only some crates may link.
const FENCES: [(&str, &[&str]); 9] = [
    ("redis", &["broker"]),
    ("deadpool", &["broker"]),
    ("axum", &["edge", "node"]),
    ("jsonwebtoken", &["auth"]),
    ("reqwest", &["auth", "webhooks", "testkit", "loadtest"]),
    ("prometheus", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry-otlp", &["telemetry"]),
];

#[test]
fn layers_and_fences_hold() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let mut seen = BTreeSet::new();
    let mut linked = BTreeSet::new();
    for package in &metadata.packages {
        let name = package
            .name
            .as_str()
            .trim_start_matches("switchboard-")
            .to_owned();
        let (_, may) = LAYERS
            .iter()
            .find(|(layer, _)| *layer == name)
            .expect("every crate has its layer");
        for dependency in package
            .dependencies
            .iter()
            .filter(|found| found.kind != DependencyKind::Development)
        {
            match dependency.name.strip_prefix("switchboard-") {
                Some(other) => assert!(may.contains(&other), "{name} may not link {other}"),
                None => {
                    let fence = FENCES.iter().find(|(library, _)| *library == dependency.name);
                    let outside = fence.is_some_and(|(_, inside)| !inside.contains(&name.as_str()));
                    assert!(!outside, "{name} may not link {}", dependency.name);
                    linked.insert((name.clone(), dependency.name.clone()));
                }
            }
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), LAYERS.len(), "a layer without a crate");
    for (library, inside) in FENCES {
        for name in inside {
            let is_linked = linked.contains(&((*name).to_owned(), library.to_owned()));
            assert!(
                is_linked,
                "{name} may link {library} and does not: take it off the fence"
            );
        }
    }
}
