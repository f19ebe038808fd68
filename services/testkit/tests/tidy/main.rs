//! The order of the project, held by a machine: layers and fences, circles of modules, bounds, owners of tasks, file
//! sizes, documents in step with the code. Words and references are checked by scripts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod balancers;
mod cycles;
mod documents;
mod features;
mod files;
mod layers;
mod modules;
mod parse;
mod source;
mod tasks;

use std::path::{Path, PathBuf};

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Folders with what tools have made.
const MADE: [&str; 7] = [
    "target",
    "node_modules",
    ".git",
    ".tools",
    "out",
    "dist",
    "vendor",
];

/// Files under `folder` with one of these endings, without what tools have made.
fn files_in(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !MADE.contains(&name.as_str()) {
            found.extend(files_in(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found
}

/// The path as people write it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
