//! Comparisons of made-up results.

use std::collections::BTreeMap;

use super::*;
use crate::results::{Environment, SCHEMA, Summary, Times};

/// Results whose runs have these p99s of call_setup, in ms, and these costs.
fn results(p99s: &[f64]) -> Results {
    let run = |p99: &f64| {
        let summary = Summary {
            count: 1000,
            min_us: 1.0,
            mean_us: 2.0,
            p50_us: 1e3,
            p90_us: 2e3,
            p99_us: p99 * 1e3,
            p999_us: p99 * 2e3,
            max_us: p99 * 3e3,
            histogram: String::new(),
        };
        let times = Times {
            corrected: summary.clone(),
            uncorrected: summary,
        };
        RunResult {
            driver: "switchboard".into(),
            load_s: 10.0,
            counts: BTreeMap::from([("calls_set_up".to_owned(), (10_000.0 / p99) as u64)]),
            times: BTreeMap::from([("call_setup".to_owned(), times)]),
            ..RunResult::default()
        }
    };
    Results {
        schema: SCHEMA,
        name: "calls".into(),
        about: String::new(),
        started_unix_ms: 0,
        scenario: serde_json::json!({"name": "calls", "calls": {"talk": "1s"}, "repeats": p99s.len()}),
        environment: Environment::default(),
        runs: p99s.iter().map(run).collect(),
    }
}

fn outcome(a: &[f64], b: &[f64], fail_on: &str) -> (bool, String) {
    let comparison = compare(&results(a), &results(b), &[fail_on.parse().unwrap()]);
    (comparison.is_failed(), comparison.to_string())
}

const BASE: [f64; 5] = [10.0, 11.0, 10.5, 10.2, 10.8];
const SLOWER: [f64; 5] = [20.0, 21.0, 20.5, 20.2, 20.8];

#[test]
fn a_clear_difference_is_better_or_worse_by_what_the_figure_means() {
    let (_, text) = outcome(&BASE, &SLOWER, "lost > +0%");
    let line = |name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("p99(call_setup)").contains("10.50ms [10.00ms … 11.00ms]"),
        "{text}"
    );
    assert!(
        line("p99(call_setup)").contains("1.95") && line("p99(call_setup)").contains("worse (p=0.008)"),
        "{text}"
    );
    assert!(line("p50(call_setup)").contains("same (p=1.000)"), "{text}");
    assert!(line("rate(calls_set_up)").contains("worse"), "{text}");
    let (_, text) = outcome(&SLOWER, &BASE, "lost > +0%");
    assert!(
        text.lines()
            .any(|line| line.starts_with("p99(call_setup)") && line.contains("better")),
        "{text}"
    );
}

#[test]
fn columns_stand_below_each_other() {
    let (_, text) = outcome(&BASE, &SLOWER, "lost > +0%");
    let verdict = |line: &str| {
        let start = ["better (p=", "worse (p=", "same (p="]
            .iter()
            .find_map(|word| line.find(word))?;
        Some(line[..start].chars().count())
    };
    let starts: Vec<_> = text.lines().filter_map(verdict).collect();
    assert!(
        starts.len() > 5 && starts.windows(2).all(|pair| pair[0] == pair[1]),
        "{text}"
    );
}

#[test]
fn a_gate_fails_on_more_than_chance_only() {
    assert!(outcome(&BASE, &SLOWER, "p99(call_setup) > +10%").0);
    assert!(!outcome(&BASE, &SLOWER, "p99(call_setup) > +100%").0);
    assert!(!outcome(&SLOWER, &BASE, "p99(call_setup) > +10%").0);
    assert!(outcome(&BASE, &SLOWER, "rate(calls_set_up) < -10%").0);
    let noisy = [9.0, 30.0, 10.1, 31.0, 13.0];
    let (is_failed, text) = outcome(&BASE, &noisy, "p99(call_setup) > +10%");
    assert!(!is_failed && text.contains("may be chance"), "{text}");
}

#[test]
fn too_few_runs_are_judged_by_medians_and_said_to_be_few() {
    let (is_failed, text) = outcome(&BASE[..3], &SLOWER[..3], "p99(call_setup) > +10%");
    assert!(
        is_failed && text.contains("by medians alone") && text.contains("too few runs"),
        "{text}"
    );
}

#[test]
fn a_gate_on_what_was_not_measured_fails() {
    let (is_failed, text) = outcome(&BASE, &SLOWER, "p99(one_way) > +10%");
    assert!(is_failed && text.contains("no such figure in a"), "{text}");
}

#[test]
fn a_count_that_was_zero_is_infinitely_more() {
    let (mut a, mut b) = (results(&BASE), results(&BASE));
    let gate = || ["lost > +50%".parse().unwrap()];
    assert!(!compare(&a, &b, &gate()).is_failed());
    for run in &mut b.runs {
        run.counts.insert("lost".into(), 1);
    }
    let text = compare(&a, &b, &gate()).to_string();
    assert!(text.contains("FAILED: fail on lost > +50%: +inf%"), "{text}");
    a.runs.clear();
    assert!(compare(&a, &b, &gate()).is_failed());
}

#[test]
fn differences_of_scenario_machine_and_runs_are_warned_of() {
    let (a, mut b) = (results(&BASE), results(&BASE[..4]));
    assert!(!compare(&a, &b, &[]).to_string().contains("careful"));
    b.scenario["calls"]["talk"] = "2s".into();
    b.environment.cores = 64;
    b.runs[0].verdict.exit_code = 97;
    b.runs[0].verdict.reasons = vec!["the generator was saturated".into()];
    let text = compare(&a, &b, &[]).to_string();
    for words in [
        "differ: calls.talk",
        "cores 0 and 64",
        "1 of 4 runs of b",
        "was saturated",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn markdown_has_one_line_a_figure_and_the_gates() {
    let markdown = compare(
        &results(&BASE),
        &results(&SLOWER),
        &["p99(call_setup) > +10%".parse().unwrap()],
    )
    .markdown();
    assert!(
        markdown.contains("| p99(call_setup) | 10.50ms [10.00ms … 11.00ms] | 20.50ms"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| `p99(call_setup) > +10%` | +95.2% (p=0.008) | **failed** |"),
        "{markdown}"
    );
}

#[test]
fn a_wrong_gate_is_shown_with_the_fix() {
    for (text, words) in [
        ("p99(call_setup) > 10%", "+10%"),
        ("p99(call_setup) > +10", "+10%"),
        ("p99(call_setup) == +10%", "say >"),
        ("p99(cal) > +10%", "call_setup"),
        ("p99(call_setup)", "no comparison"),
    ] {
        let error = text.parse::<FailOn>().unwrap_err();
        assert!(error.contains(text) && error.contains(words), "{error}");
    }
}
