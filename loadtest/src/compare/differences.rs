//! What makes two results hard to compare: different scenarios, machines, or runs that were no good.

use serde_json::Value;

use crate::results::Results;

/// Differences that are listed one by one.
const MAX_LISTED: usize = 8;

/// Keys of a scenario that change nothing about a single run.
const HARMLESS: [&str; 3] = ["about", "repeats", "thresholds"];

/// Which results these are, in a line.
pub(super) fn head(results: &Results) -> String {
    let driver = results.runs.first().map_or("no runs", |run| &run.driver);
    let commit = results.environment.commit.as_deref().unwrap_or("unknown commit");
    let count = results.runs.len();
    let runs = if count == 1 { "run" } else { "runs" };
    format!("{} · {driver} · {commit} · {count} {runs}", results.name)
}

/// All of them, a sentence each.
pub(super) fn warnings(a: &Results, b: &Results) -> Vec<String> {
    let mut warnings = Vec::new();
    if a.schema != b.schema {
        warnings.push(format!(
            "the documents are of versions {} and {}",
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
    let (of_a, of_b) = (&a.environment, &b.environment);
    for (what, a, b) in [
        ("processor", of_a.cpu.clone(), of_b.cpu.clone()),
        ("cores", of_a.cores.to_string(), of_b.cores.to_string()),
        (
            "memory",
            format!("{} MiB", of_a.memory_mib),
            format!("{} MiB", of_b.memory_mib),
        ),
        ("kernel", of_a.kernel.clone(), of_b.kernel.clone()),
        (
            "servers",
            format!("{:?}", of_a.servers),
            format!("{:?}", of_b.servers),
        ),
    ] {
        if a != b {
            warnings.push(format!("the environments differ: {what} {a} and {b}"));
        }
    }
    for (side, results) in [("a", a), ("b", b)] {
        let bad: Vec<_> = results
            .runs
            .iter()
            .filter(|run| run.verdict.exit_code != 0)
            .collect();
        if let Some(first) = bad.first() {
            warnings.push(format!(
                "{} of {} runs of {side} did not end well: {}",
                bad.len(),
                results.runs.len(),
                first
                    .verdict
                    .reasons
                    .first()
                    .map_or("no reason given", String::as_str)
            ));
        }
    }
    warnings
}

/// The paths at which two documents differ.
fn differing(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    if let (Value::Object(of_a), Value::Object(of_b)) = (a, b) {
        let only_b = of_b.keys().filter(|key| !of_a.contains_key(*key));
        for key in of_a.keys().chain(only_b) {
            if path.is_empty() && HARMLESS.contains(&key.as_str()) {
                continue;
            }
            let inner = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            let side = |side: &serde_json::Map<String, Value>| side.get(key).cloned().unwrap_or(Value::Null);
            differing(&inner, &side(of_a), &side(of_b), found);
        }
    } else if a != b {
        found.push(if path.is_empty() {
            "everything".into()
        } else {
            path.to_owned()
        });
    }
}
