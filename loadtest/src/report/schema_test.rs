//! Holds `docs/loadtest-results.md` to the results: every name that occurs in them is on the page.

use serde_json::Value;

use super::example;
use crate::record::{Counter, Metric};

/// Maps whose keys are names of servers, nodes, series or errors, and the scenario, which has its own page.
const OTHERS_NAMES: [&str; 6] = [
    "scenario",
    "errors",
    "connected",
    "server_cores",
    "metrics",
    "servers",
];

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/loadtest-results.md");
    std::fs::read_to_string(path).unwrap()
}

/// All keys of a document.
fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.push(key.clone());
                // A run's `servers` are a list of documents, those of the environment a map of names.
                if !(OTHERS_NAMES.contains(&key.as_str()) && value.is_object()) {
                    keys(value, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_key_of_the_results_is_described() {
    let mut found = Vec::new();
    keys(&serde_json::to_value(example::results()).unwrap(), &mut found);
    found.sort();
    found.dedup();
    assert!(found.len() > 60, "{found:?}");
    let page = page();
    let missing: Vec<_> = found
        .iter()
        .filter(|key| !page.contains(&format!("`{key}`")))
        .collect();
    assert!(missing.is_empty(), "docs/loadtest-results.md lacks {missing:?}");
}

#[test]
fn every_counter_and_every_metric_is_described() {
    let page = page();
    let names = Counter::ALL
        .iter()
        .map(|counter| counter.name())
        .chain(Metric::ALL.map(Metric::name));
    let missing: Vec<_> = names
        .filter(|name| !page.contains(&format!("| `{name}` |")))
        .collect();
    assert!(missing.is_empty(), "docs/loadtest-results.md lacks {missing:?}");
}
