//! Thresholds on invented runs.

use std::collections::BTreeMap;

use super::*;
use crate::{
    record::{Counter, Metric, encode, new_histogram},
    results::{FaultResult, Summary, Times},
};

fn summary(millis: impl Iterator<Item = u64>) -> Summary {
    let mut histogram = new_histogram();
    for value in millis {
        histogram.record(value * 1_000_000).unwrap();
    }
    let at = |percent: f64| histogram.value_at_percentile(percent) as f64 / 1e3;
    Summary {
        count: histogram.len(),
        min_us: histogram.min() as f64 / 1e3,
        mean_us: histogram.mean() / 1e3,
        p50_us: at(50.0),
        p90_us: at(90.0),
        p99_us: at(99.0),
        p999_us: at(99.9),
        max_us: histogram.max() as f64 / 1e3,
        histogram: encode(&histogram).unwrap(),
    }
}

/// Call set-ups of 1 to 1,000 ms, or a tenth of it uncorrected; 10 s of load.
fn run() -> RunResult {
    let times = Times {
        corrected: summary(1..=1000),
        uncorrected: summary((1..=1000).map(|value: u64| value.div_ceil(10))),
    };
    let counts = [
        (Counter::CallsStarted, 1000),
        (Counter::CallsSetUp, 999),
        (Counter::SendErrors, 7),
    ];
    RunResult {
        load_s: 10.0,
        counts: counts
            .map(|(counter, count)| (counter.name().to_owned(), count))
            .into(),
        times: BTreeMap::from([(Metric::CallSetup.name().to_owned(), times)]),
        costs: BTreeMap::from([("kib_per_idle_connection".to_owned(), 4.5)]),
        ..RunResult::default()
    }
}

fn evaluate(text: &str, run: &RunResult) -> ThresholdResult {
    text.parse::<Threshold>().unwrap().evaluate(run)
}

fn error(text: &str) -> String {
    text.parse::<Threshold>().unwrap_err()
}

#[test]
fn every_kind_of_figure_is_compared_with_its_value() {
    for (text, is_met) in [
        ("p99(call_setup) < 1s", true),
        ("p99(call_setup) < 900ms", false),
        ("p50(call_setup) <= 510ms", true),
        ("p75(call_setup) < 740ms", false),
        ("p75(call_setup) < 760ms", true),
        ("p99.9(call_setup) > 0.9s", true),
        ("uncorrected p99(call_setup) < 110ms", true),
        ("mean( call_setup ) < 600ms", true),
        ("min(call_setup) < 900us", false),
        ("max(call_setup) < 1.5s", true),
        ("lost == 0", true),
        ("send_errors == 0", false),
        ("send_errors<=7", true),
        ("rate(calls_set_up) >= 99.9", true),
        ("rate(calls_set_up) > 99.9", false),
        ("share(calls_set_up/calls_started) >= 99.9%", true),
        ("share(calls_set_up / calls_started) >= 0.9991", false),
        ("cost(kib_per_idle_connection) < 5", true),
    ] {
        assert_eq!(evaluate(text, &run()).is_met, is_met, "{text}");
    }
}

#[test]
fn a_missed_threshold_says_what_was_measured() {
    let result = evaluate(" send_errors == 0 ", &run());
    assert_eq!(
        (result.text.as_str(), result.measured.as_str()),
        ("send_errors == 0", "7")
    );
    assert_eq!(evaluate("min(call_setup) < 900us", &run()).measured, "1.00ms");
    assert_eq!(
        evaluate("share(calls_set_up/calls_started) == 1", &run()).measured,
        "99.9000%"
    );
}

#[test]
fn a_figure_without_a_value_misses_and_says_why() {
    for (text, why) in [
        ("p99(one_way) < 1s", "no one_way was timed"),
        ("share(abuse_refused/abuse_tried) == 100%", "abuse_tried is 0"),
        ("cost(tea) < 5", "there are kib_per_idle_connection"),
        ("imbalance < 2", "no fault"),
        ("reconnected < 5s", "there was no fault"),
    ] {
        let result = evaluate(text, &run());
        assert!(!result.is_met && result.measured.contains(why), "{result:?}");
    }
}

#[test]
fn the_worst_fault_counts_and_a_missing_recovery_misses() {
    let fault = |reconnected_s, connected_min| FaultResult {
        what: "kill n2".into(),
        connected_before: 10,
        connected_min,
        reconnected_s,
        imbalance: reconnected_s,
        ..FaultResult::default()
    };
    let with = |faults| RunResult { faults, ..run() };
    let healed = with(vec![fault(Some(1.0), 5), fault(Some(3.0), 5), fault(None, 10)]);
    assert!(evaluate("reconnected < 3.5s", &healed).is_met);
    assert!(!evaluate("reconnected < 2s", &healed).is_met);
    assert!(!evaluate("imbalance < 2", &healed).is_met);
    let broken = evaluate(
        "reconnected < 1h",
        &with(vec![fault(Some(1.0), 5), fault(None, 5)]),
    );
    assert!(
        !broken.is_met && broken.measured.contains("never all again after kill n2"),
        "{broken:?}"
    );
}

#[test]
fn a_wrong_threshold_is_shown_with_the_wrong_part_and_the_known_ones() {
    for (text, words) in [
        (
            "p99(cal_setup) < 5ms",
            ["`cal_setup`", "call_setup, offer_answer"],
        ),
        ("lots == 0", ["`lots`", "lost"]),
        ("p99(call_setup) < 5", ["`5`", "50ms"]),
        ("p99(call_setup) < fast", ["`fast`", "10s"]),
        ("p999(call_setup) < 5ms", ["`p999`", "p99.9"]),
        ("q99(call_setup) < 5ms", ["`q99`", "mean"]),
        ("pinf(call_setup) < 5ms", ["`pinf`", "p50"]),
        ("call_setup < 5ms", ["`call_setup`", "p99(call_setup)"]),
        ("p99(call_setup < 5ms", ["`p99(call_setup`", "`)`"]),
        ("lost = 0", ["`=`", "=="]),
        ("lost", ["no comparison", "lost == 0"]),
        ("lost ==", ["missing", "=="]),
        ("lost == NaN", ["`NaN`", "12.5"]),
        ("share(lost) < 1", ["`lost`", "share("]),
        ("uncorrected lost == 0", ["`lost`", "uncorrected"]),
    ] {
        let error = error(text);
        assert!(error.contains(text), "{error}");
        for word in words {
            assert!(error.contains(word), "{error} lacks {word}");
        }
    }
}

#[test]
fn figures_read_back_as_they_are_shown() {
    for text in [
        "uncorrected p99.9(one_way)",
        "rate(arrived)",
        "share(lost/sent)",
        "cost(x)",
        "lost",
        "imbalance",
    ] {
        assert_eq!(text.parse::<Figure>().unwrap().to_string(), text);
    }
}
