//! Differences that spoil a comparison: scenarios, machines, and runs that did not pass.

use serde_json::{Map, Value};

use crate::results::{Environment, Results};

/// Paths of scenarios that are listed one by one.
const MAX_LISTED: usize = 8;

/// Keys of a scenario that do not change a single run.
const HARMLESS: [&str; 3] = ["about", "repeats", "thresholds"];

/// A line that identifies the results.
pub(super) fn head(results: &Results) -> String {
    let driver = results.runs.first().map_or("no runs", |run| &run.driver);
    let commit = results.environment.commit.as_deref().unwrap_or("unknown commit");
    let count = results.runs.len();
    let runs = if count == 1 { "run" } else { "runs" };
    format!("{} · {driver} · {commit} · {count} {runs}", results.name)
}

/// All differences, one sentence each.
pub(super) fn warnings(a: &Results, b: &Results) -> Vec<String> {
    let mut warnings = Vec::new();
    if a.schema != b.schema {
        warnings.push(format!(
            "the documents have versions {} and {}",
            a.schema, b.schema
        ));
    }
    let mut paths = Vec::new();
    differing("", &a.scenario, &b.scenario, &mut paths);
    if !paths.is_empty() {
        let more = paths.len().saturating_sub(MAX_LISTED);
        paths.truncate(MAX_LISTED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        warnings.push(format!("the scenarios differ: {}{more}", paths.join(", ")));
    }
    let facts = |of: &Environment| {
        [
            ("processor", of.cpu.clone()),
            ("cores", of.cores.to_string()),
            ("memory", format!("{} MiB", of.memory_mib)),
            ("kernel", of.kernel.clone()),
            ("servers", format!("{:?}", of.servers)),
        ]
    };
    for ((fact, a), (_, b)) in facts(&a.environment).iter().zip(facts(&b.environment)) {
        if *a != b {
            warnings.push(format!("the environments differ: {fact} {a} and {b}"));
        }
    }
    for (side, results) in [("a", a), ("b", b)] {
        let failed = results.runs.iter().filter(|run| run.verdict.exit_code != 0);
        if let Some(first) = failed.clone().next() {
            let reason = first.verdict.reasons.first();
            warnings.push(format!(
                "{} of {} runs of {side} did not pass: {}",
                failed.count(),
                results.runs.len(),
                reason.map_or("no reason given", String::as_str)
            ));
        }
    }
    warnings
}

/// The paths at which two documents differ.
fn differing(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    let (Value::Object(of_a), Value::Object(of_b)) = (a, b) else {
        if a != b {
            found.push(if path.is_empty() { "everything" } else { path }.to_owned());
        }
        return;
    };
    let only_b = of_b.keys().filter(|key| !of_a.contains_key(*key));
    let value = |side: &Map<String, Value>, key: &str| side.get(key).cloned().unwrap_or(Value::Null);
    for key in of_a.keys().chain(only_b) {
        if path.is_empty() && HARMLESS.contains(&key.as_str()) {
            continue;
        }
        let inner = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        differing(&inner, &value(of_a, key), &value(of_b, key), found);
    }
}
