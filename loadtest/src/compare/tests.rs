//! Comparisons of made-up results.

use std::collections::BTreeMap;

use super::*;
use crate::results::{Environment, RunResult, SCHEMA, Summary, Times};

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
fn a_significant_difference_is_better_or_worse_by_the_kind_of_figure() {
    for (a, b, figure, expected) in [
        (BASE, SLOWER, "p99(call_setup)", "10.50ms [10.00ms … 11.00ms]"),
        (BASE, SLOWER, "p99(call_setup)", "1.95  worse (p=0.008)"),
        (BASE, SLOWER, "p50(call_setup)", "same (p=1.000)"),
        (BASE, SLOWER, "rate(calls_set_up)", "worse"),
        (SLOWER, BASE, "p99(call_setup)", "better"),
    ] {
        let (_, text) = outcome(&a, &b, "lost > +0%");
        let line = text.lines().find(|line| line.starts_with(figure)).unwrap();
        assert!(line.contains(expected), "{figure}: {text}");
    }
}

#[test]
fn columns_are_aligned() {
    let (_, text) = outcome(&BASE, &SLOWER, "lost > +0%");
    let start = |line: &str| {
        let labels = ["better (p=", "worse (p=", "same (p="];
        let start = labels.iter().find_map(|label| line.find(label))?;
        Some(line[..start].chars().count())
    };
    let starts: Vec<_> = text.lines().filter_map(start).collect();
    let are_equal = starts.windows(2).all(|pair| pair[0] == pair[1]);
    assert!(starts.len() > 5 && are_equal, "{text}");
}

#[test]
fn a_gate_fails_only_on_a_significant_change_beyond_its_limit() {
    let noisy = [9.0, 30.0, 10.1, 31.0, 13.0];
    let few = (&BASE[..3], &SLOWER[..3]);
    for (a, b, fail_on, is_failed, expected) in [
        (&BASE[..], &SLOWER[..], "p99(call_setup) > +10%", true, "FAILED"),
        (&BASE, &SLOWER, "p99(call_setup) > +100%", false, "ok:"),
        (&SLOWER, &BASE, "p99(call_setup) > +10%", false, "ok:"),
        (&BASE, &SLOWER, "rate(calls_set_up) < -10%", true, "FAILED"),
        (&BASE, &noisy, "p99(call_setup) > +10%", false, "not significant"),
        (few.0, few.1, "p99(call_setup) > +10%", true, "medians only"),
        (few.0, few.1, "p99(call_setup) > +10%", true, "--repeats 5"),
        // Nobody knows the change of a figure that was not measured.
        (&BASE, &SLOWER, "p99(one_way) > +10%", true, "no such figure in a"),
    ] {
        let (failed, text) = outcome(a, b, fail_on);
        assert!(
            failed == is_failed && text.contains(expected),
            "{fail_on} {expected}: {text}"
        );
    }
}

#[test]
fn too_few_runs_are_said_once_and_not_in_every_row() {
    let comparison = compare(&results(&BASE[..1]), &results(&SLOWER[..1]), &[]);
    for text in [comparison.to_string(), comparison.markdown()] {
        assert_eq!(text.matches("fewer than 4 runs").count(), 1, "{text}");
        for part in ["too few", "b is", "Mann-Whitney", "same"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        assert!(
            text.contains("p99(call_setup)") && text.contains("2.00"),
            "{text}"
        );
    }
}

#[test]
fn an_increase_from_zero_is_infinite() {
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
fn different_scenarios_machines_and_failed_runs_are_warnings() {
    let (a, mut b) = (results(&BASE), results(&BASE[..4]));
    assert!(!compare(&a, &b, &[]).to_string().contains("warning"));
    b.scenario["calls"]["talk"] = "2s".into();
    b.environment.cores = 64;
    b.runs[0].verdict.exit_code = 97;
    b.runs[0].verdict.reasons = vec!["the generator was saturated".into()];
    let text = compare(&a, &b, &[]).to_string();
    for part in [
        "differ: calls.talk",
        "cores 0 and 64",
        "1 of 4 runs of b",
        "was saturated",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn markdown_has_one_line_for_each_figure_and_gate() {
    let gate = "p99(call_setup) > +10%".parse().unwrap();
    let markdown = compare(&results(&BASE), &results(&SLOWER), &[gate]).markdown();
    for line in [
        "| p99(call_setup) | 10.50ms [10.00ms … 11.00ms] | 20.50ms",
        "| `p99(call_setup) > +10%` | +95.2% (p=0.008) | **failed** |",
    ] {
        assert!(markdown.contains(line), "{markdown}");
    }
}

#[test]
fn a_wrong_gate_is_shown_with_a_correction() {
    for (text, part) in [
        ("p99(call_setup) > 10%", "+10%"),
        ("p99(call_setup) > +10", "+10%"),
        ("p99(call_setup) == +10%", "use >"),
        ("p99(cal) > +10%", "call_setup"),
        ("p99(call_setup)", "no comparison"),
    ] {
        let error = text.parse::<FailOn>().unwrap_err();
        assert!(error.contains(text) && error.contains(part), "{error}");
    }
}
