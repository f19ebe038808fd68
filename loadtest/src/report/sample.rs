//! A made-up load for the tests of reports: two runs of a minute on three nodes, a killed node, a frozen Redis.
//! Its figures are plausible, not measured.

use std::{collections::BTreeMap, sync::LazyLock};

use hdrhistogram::Histogram;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    record::{Counter, ErrorTally, Metric, encode, new_histogram},
    results::{
        Environment, FaultResult, GeneratorUse, Quantiles, Results, RunResult, SCHEMA, Second, ServerUse,
        Summary, ThresholdResult, Times, Verdict,
    },
};

const SECONDS: u32 = 60;
const NODES: [&str; 3] = ["n1", "n2", "n3"];
const KILLED_AT: f64 = 20.0;
const FROZEN_AT: f64 = 40.0;
const CONNECTIONS: u64 = 1_500;

/// Making it takes a while; most tests need one.
static RESULTS: LazyLock<Results> = LazyLock::new(make);

/// A load in which all is well.
pub(super) fn results() -> Results {
    RESULTS.clone()
}

fn make() -> Results {
    Results {
        schema: SCHEMA,
        name: "node-kill".to_owned(),
        about: "Calls across three nodes while one is killed and Redis stands still for two seconds."
            .to_owned(),
        started_unix_ms: 1_790_000_000_000,
        scenario: serde_json::json!({
            "name": "node-kill", "seed": 1, "repeats": 2,
            "calls": {"model": "open", "stages": [{"rate": 100.0, "for": "1m"}], "placement": "cross-node"},
            "faults": [{"at": "20s", "do": "kill", "server": "n1", "for": "5s"}],
            "thresholds": ["p99(call_setup) < 500ms", "lost == 0"],
            "generator": {"workers": 2, "max_start_delay": "50ms", "max_dropped": 0.001},
        }),
        environment: Environment {
            version: "0.1.0".to_owned(),
            commit: Some("0123abcd".to_owned()),
            cpu: "Example CPU at 3.1 GHz".to_owned(),
            cores: 8,
            memory_mib: 16_000,
            kernel: "Linux 6.8.0".to_owned(),
            open_files_limit: 20_000,
            servers: BTreeMap::from([
                ("redis".to_owned(), "7.0.15".to_owned()),
                ("switchboard".to_owned(), "0.1.0".to_owned()),
            ]),
            notes: vec!["Generator and servers share the machine.".to_owned()],
        },
        runs: vec![run(1), run(2)],
    }
}

/// The same with one message lost in the second run.
pub(super) fn with_a_loss() -> Results {
    let mut results = results();
    let run = &mut results.runs[1];
    run.counts.insert("lost".to_owned(), 1);
    run.stories = vec!["lost: message 812 of pair 7 was told `delivered` and never arrived".to_owned()];
    run.verdict = Verdict {
        exit_code: 98,
        reasons: vec!["1 message was lost silently".to_owned()],
    };
    results
}

fn run(seed: u64) -> RunResult {
    let mut random = StdRng::seed_from_u64(seed);
    let mut totals: BTreeMap<Metric, [Histogram<u64>; 2]> = Metric::ALL
        .map(|metric| (metric, [new_histogram(), new_histogram()]))
        .into();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut series = Vec::new();
    for at in 1..=SECONDS {
        let second = second(f64::from(at), &mut random, &mut totals);
        for (name, count) in &second.counts {
            *counts.entry(name.clone()).or_default() += count;
        }
        series.push(second);
    }
    for offence in Counter::SILENT {
        counts.insert(offence.name().to_owned(), 0);
    }
    let times = totals.iter().map(|(metric, [corrected, uncorrected])| {
        let times = Times {
            corrected: summary(corrected),
            uncorrected: summary(uncorrected),
        };
        (metric.name().to_owned(), times)
    });
    let mut errors = ErrorTally::default();
    errors.add("connect: connection refused", 212);
    errors.add("send: bus-unavailable", 97);
    RunResult {
        driver: "switchboard".to_owned(),
        load_s: f64::from(SECONDS),
        times: times.collect(),
        counts,
        errors,
        series,
        faults: vec![
            fault(KILLED_AT, "kill n1", 500, 1.9),
            fault(FROZEN_AT, "freeze redis", 0, 0.0),
        ],
        servers: NODES
            .iter()
            .map(|name| server(name, 10.5))
            .chain([server("redis", 4.2)])
            .collect(),
        costs: BTreeMap::from([
            ("kib_per_idle_connection".to_owned(), 17.8),
            ("cpu_us_per_message".to_owned(), 41.3),
            ("messages_per_second_per_core".to_owned(), 24_213.0),
        ]),
        generator: GeneratorUse {
            workers: 2,
            cpu_s: 33.0,
            busiest_core_share: 0.31,
            resident_most_kib: 180_000.0,
            slip_p99_us: 1_210.0,
            dropped_share: 0.0,
        },
        stories: Vec::new(),
        thresholds: vec![
            ThresholdResult {
                text: "p99(call_setup) < 2s".to_owned(),
                measured: "1.3s".to_owned(),
                is_kept: true,
            },
            ThresholdResult {
                text: "lost == 0".to_owned(),
                measured: "0".to_owned(),
                is_kept: true,
            },
        ],
        verdict: Verdict::default(),
    }
}

fn second(at_s: f64, random: &mut StdRng, totals: &mut BTreeMap<Metric, [Histogram<u64>; 2]>) -> Second {
    let is_killed = (KILLED_AT..KILLED_AT + 3.0).contains(&(at_s - 1.0));
    let is_frozen = (FROZEN_AT..FROZEN_AT + 2.0).contains(&(at_s - 1.0));
    let mut times = BTreeMap::new();
    for (metric, [corrected, uncorrected]) in totals {
        let (median_us, spread, samples) = match metric {
            Metric::CallSetup => (6_200.0, 0.30, 100),
            Metric::OfferAnswer => (4_100.0, 0.32, 100),
            Metric::OneWay => (1_100.0, 0.38, 600),
            Metric::Receipt => (1_500.0, 0.36, 600),
            Metric::Connect => (420.0, 0.25, 40),
            Metric::Authenticate => (2_300.0, 0.30, 40),
            Metric::Reconnect => (700_000.0, 0.45, if is_killed { 160 } else { 0 }),
            Metric::Slip => (300.0, 0.55, 100),
        };
        let mut here = new_histogram();
        for _ in 0..samples {
            let mut us = median_us * (spread * normal(random)).exp();
            if is_frozen && *metric != Metric::Slip && *metric != Metric::Connect {
                us += random.random_range(0.0..1_900_000.0);
            } else if is_killed && *metric != Metric::Reconnect && random.random_bool(0.2) {
                us *= 8.0;
            }
            let late_us = if *metric == Metric::Slip {
                0.0
            } else {
                250.0 * normal(random).abs()
            };
            uncorrected.saturating_record(nanoseconds(us));
            corrected.saturating_record(nanoseconds(us + late_us));
            here.saturating_record(nanoseconds(us + late_us));
        }
        if !here.is_empty() {
            let quantiles = Quantiles {
                p50_us: micros(here.value_at_quantile(0.5)),
                p99_us: micros(here.value_at_quantile(0.99)),
                max_us: micros(here.max()),
            };
            times.insert(metric.name().to_owned(), quantiles);
        }
    }
    let planned = 100 + random.random_range(0..20);
    let failed = if is_killed { 14 } else { 0 };
    let sent = planned * 14;
    let mut counts = BTreeMap::from([("planned", planned), ("calls_started", planned), ("sent", sent)]);
    counts.extend([
        ("calls_set_up", planned - failed),
        ("arrived", sent - failed),
        ("delivered", sent - failed),
    ]);
    counts.extend([
        ("told", failed),
        ("calls_failed", failed),
        ("bytes_sent", sent * 1_800),
    ]);
    counts.insert("disconnects", if is_killed { 166 } else { 0 });
    counts.retain(|_, count| *count > 0);
    let on_n1 = if at_s > KILLED_AT { 0 } else { CONNECTIONS / 3 };
    let rest = (CONNECTIONS - on_n1) / 2;
    Second {
        at_s,
        counts: counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect(),
        times,
        connected: NODES
            .iter()
            .zip([on_n1, rest, rest])
            .map(|(node, count)| ((*node).to_owned(), count))
            .collect(),
        calls_under_way: if is_frozen {
            190
        } else {
            60 + random.random_range(0..12)
        },
        server_cores: [0.18, 0.2, 0.19]
            .iter()
            .zip(NODES)
            .map(|(cores, node)| (node.to_owned(), cores + random.random_range(0.0..0.05)))
            .chain([("redis".to_owned(), if is_frozen { 0.0 } else { 0.09 })])
            .collect(),
        generator_cores: 0.5 + random.random_range(0.0..0.08),
    }
}

fn fault(at_s: f64, what: &str, lost: u64, healed_s: f64) -> FaultResult {
    let curve = (0..80).map(|tenth| {
        let after = f64::from(tenth) / 10.0;
        let back = if healed_s > 0.0 {
            (after / healed_s).min(1.0).powi(2)
        } else {
            1.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let missing = ((1.0 - back) * lost as f64) as u64;
        (after, CONNECTIONS - missing)
    });
    FaultResult {
        at_s,
        what: what.to_owned(),
        error: None,
        connected_before: CONNECTIONS,
        connected_least: CONNECTIONS - lost,
        detected_s: Some(0.2),
        reconnected_s: (lost > 0).then_some(healed_s),
        curve: curve.collect(),
        imbalance: Some(1.12),
    }
}

fn server(name: &str, cpu_s: f64) -> ServerUse {
    ServerUse {
        name: name.to_owned(),
        cpu_s,
        resident_before_kib: 14_200.0,
        resident_most_kib: 31_900.0,
        resident_after_kib: 27_400.0,
        connections: if name == "redis" { 12 } else { CONNECTIONS / 2 },
        metrics: BTreeMap::from([(
            "switchboard_messages_received_total{kind=\"offer\"}".to_owned(),
            6_012.0,
        )]),
    }
}

#[expect(clippy::cast_precision_loss, reason = "made-up figures")]
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn summary(histogram: &Histogram<u64>) -> Summary {
    let at = |quantile| micros(histogram.value_at_quantile(quantile));
    Summary {
        count: histogram.len(),
        min_us: micros(histogram.min()),
        mean_us: histogram.mean() / 1e3,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: micros(histogram.max()),
        histogram: encode(histogram).unwrap(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
fn nanoseconds(us: f64) -> u64 {
    (us * 1e3) as u64
}

/// A normally distributed number, by Box and Muller.
fn normal(random: &mut StdRng) -> f64 {
    let (first, second): (f64, f64) = (random.random_range(1e-9..1.0), random.random_range(0.0..1.0));
    (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos()
}
