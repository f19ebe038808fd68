//! No circle of modules inside a crate: a reader can start at any module and read only what it needs (`modules`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{modules::Modules, root};

type Needs<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

#[test]
fn modules_need_each_other_in_no_circle() {
    let mut folders: Vec<_> = std::fs::read_dir(root().join("services"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.push(root().join("loadtest"));
    for folder in folders.iter().filter(|folder| folder.join("src").is_dir()) {
        let report = circles_in(folder);
        assert!(report.is_empty(), "{}:\n{report}", folder.display());
    }
}

/// The circles of a crate, in words.
fn circles_in(folder: &Path) -> String {
    let roots = ["src/lib.rs", "src/main.rs"].map(|file| folder.join(file));
    let mut report = String::new();
    for root in roots.iter().filter(|file| file.is_file()) {
        let modules = Modules::read(root);
        let needs = modules.needs();
        for circle in circles(&needs) {
            report += &describe(&circle, &needs);
        }
    }
    report
}

fn describe(circle: &BTreeSet<&str>, needs: &Needs<'_>) -> String {
    let mut text = String::from("  circle:\n");
    for module in circle {
        let within: Vec<_> = needs[module].intersection(circle).copied().collect();
        text += &format!("    {module} needs {}\n", within.join(", "));
    }
    text
}

/// The sets of modules that reach each other. The graphs are small, so each module's reach is simply walked.
fn circles<'a>(needs: &Needs<'a>) -> Vec<BTreeSet<&'a str>> {
    let reach: Needs<'a> = needs.keys().map(|from| (*from, reached(from, needs))).collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for (module, reached) in &reach {
        if reached.contains(module) && !found.iter().any(|circle| circle.contains(module)) {
            found.push(
                reached
                    .iter()
                    .copied()
                    .filter(|other| reach[other].contains(module))
                    .collect(),
            );
        }
    }
    found
}

fn reached<'a>(from: &str, needs: &Needs<'a>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = needs[from].iter().copied().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(&needs[next]);
        }
    }
    reached
}

#[test]
fn a_circle_is_found_whole_and_a_chain_is_none() {
    let graph = |edges: &[(&'static str, &'static str)]| {
        let mut needs = Needs::new();
        for (from, to) in edges {
            needs.entry(from).or_default().insert(to);
            needs.entry(to).or_default();
        }
        circles(&needs)
    };
    assert!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]).is_empty());
    let found = graph(&[
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("c", "d"),
        ("e", "f"),
        ("f", "e"),
    ]);
    assert_eq!(
        found,
        [BTreeSet::from(["a", "b", "c"]), BTreeSet::from(["e", "f"])]
    );
}
