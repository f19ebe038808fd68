//! The order of the project, held by a machine: layers, fences, file sizes, module headers, documents in
//! step with the code.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand};
use switchboard_protocol::{CloseCode, ErrorCode, MessageKind};

/// What each crate of the workspace may link of the others.
const LAYERS: [(&str, &[&str]); 11] = [
    ("protocol", &[]),
    ("telemetry", &["protocol"]),
    ("auth", &["protocol"]),
    ("client", &["protocol"]),
    ("core", &["protocol", "telemetry"]),
    ("broker", &["protocol", "telemetry", "core"]),
    ("edge", &["protocol", "telemetry", "auth", "core"]),
    (
        "node",
        &[
            "protocol",
            "telemetry",
            "auth",
            "core",
            "broker",
            "edge",
            "client",
        ],
    ),
    ("harness", &["protocol", "client"]),
    ("testkit", &["protocol", "auth", "client", "node", "harness"]),
    ("loadtest", &["protocol", "auth", "client", "harness"]),
];

/// Libraries that only some crates may link.
const FENCES: [(&str, &[&str]); 8] = [
    ("redis", &["broker"]),
    ("deadpool-redis", &["broker"]),
    ("axum", &["edge", "node"]),
    ("jsonwebtoken", &["auth"]),
    ("prometheus", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry-otlp", &["telemetry"]),
];

const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Files under `folder` with one of these endings, without what tools have made.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules", ".git", ".tools", "out"].contains(&name.as_str()) {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn layers_and_fences_hold() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let mut seen = BTreeSet::new();
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
            .filter(|found| found.kind == DependencyKind::Normal)
        {
            match dependency.name.strip_prefix("switchboard-") {
                Some(other) => assert!(may.contains(&other), "{name} may not link {other}"),
                None => {
                    let fence = FENCES.iter().find(|(library, _)| *library == dependency.name);
                    let outside = fence.is_some_and(|(_, inside)| !inside.contains(&name.as_str()));
                    assert!(!outside, "{name} may not link {}", dependency.name);
                }
            }
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), LAYERS.len());
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for path in files(&root(), &[".rs", ".js", ".mjs", ".ts", ".py"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().count() <= MOST_LINES,
            "{} is too long",
            path.display()
        );
        if path.extension().is_some_and(|extension| extension == "rs") {
            assert!(
                text.starts_with("//!"),
                "{} does not say what it is",
                path.display()
            );
        }
    }
}

#[test]
fn no_queue_is_without_a_bound_and_no_task_without_an_owner() {
    for path in files(&root().join("services"), &[".rs"]) {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let word = ["unbounded", "_channel("].concat();
        assert!(
            is_test || !text.contains(&word),
            "{} has a queue without a bound",
            path.display()
        );
    }
}

#[test]
fn the_protocol_page_lists_every_code_and_type_of_the_protocol_crate() {
    let page = std::fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    for code in ErrorCode::ALL {
        assert!(
            page.contains(&format!("| `{code}` |")),
            "docs/protocol.md lacks the error {code}"
        );
    }
    for code in CloseCode::ALL {
        assert!(
            page.contains(&format!("| {} |", code.code())),
            "docs/protocol.md lacks the close code {code}"
        );
    }
    for kind in MessageKind::ALL {
        assert!(
            page.contains(&format!("`{kind}`")),
            "docs/protocol.md lacks the type {kind}"
        );
    }
    for name in [
        "welcome", "receipt", "error", "ice", "expiring", "renew", "renewed", "goaway", "ping", "pong",
    ] {
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/protocol.md lacks the type {name}"
        );
    }
}
