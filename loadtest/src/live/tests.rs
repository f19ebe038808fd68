//! The view on terminals of several sizes, and as lines.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

use super::{plain::Plain, *};
use crate::{
    record::{Counter, Metric},
    results::{Quantiles, Second, ThresholdResult},
};

/// Twelve seconds of thirty; n2 was killed at ten, two messages were lost.
fn progress() -> Progress {
    let times = |millis: f64| Quantiles {
        p50_us: millis * 1e3,
        p99_us: millis * 4e3,
        max_us: millis * 9e3,
    };
    let second = |number: u32| Second {
        at_s: f64::from(number),
        counts: BTreeMap::from([("calls_set_up".to_owned(), 40 + u64::from(number))]),
        times: BTreeMap::from([("call_setup".to_owned(), times(f64::from(number)))]),
        connected: BTreeMap::from([("n1".to_owned(), 120), ("n2".to_owned(), 80)]),
        ..Second::default()
    };
    let fault = |seconds, what: &str, state| FaultMark {
        at: Duration::from_secs(seconds),
        what: what.into(),
        state,
    };
    let threshold = |text: &str, measured: &str, is_met| ThresholdResult {
        text: text.into(),
        measured: measured.into(),
        is_met,
    };
    let mut progress = Progress {
        name: "node-kill".into(),
        about: "One of three nodes is killed.".into(),
        repeat: 1,
        repeats: 3,
        phase: Phase::Load,
        elapsed: Duration::from_secs(12),
        length: Duration::from_secs(30),
        connections_wanted: 200,
        workers: 2,
        series: (1..=12).map(second).collect(),
        counts: [
            (Counter::CallsStarted, 500),
            (Counter::CallsSetUp, 498),
            (Counter::Lost, 2),
        ]
        .into(),
        times: [(Metric::CallSetup, times(6.0)), (Metric::OneWay, times(0.5))].into(),
        faults: vec![
            fault(10, "kill n2", FaultState::Done),
            fault(20, "freeze redis", FaultState::Planned),
        ],
        thresholds: vec![
            threshold("p99(call_setup) < 250ms", "24.00ms", true),
            threshold("lost == 0", "2", false),
        ],
        waiting: vec!["reconnected < 5s".into()],
        ..Progress::default()
    };
    progress.errors.add("connect: 503 busy", 7);
    progress
}

fn draw(progress: &Progress, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::draw(frame, progress)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> Vec<String> {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..buffer.area.height).map(row).collect()
}

#[test]
fn a_small_and_a_large_terminal_show_everything() {
    for (width, height) in [(80, 24), (120, 40)] {
        let lines = text(&draw(&progress(), width, height));
        let all = lines.join("\n");
        for part in [
            "node-kill, run 1 of 3, 2 workers",
            "q: stop and report",
            "12s of 30s",
            "call_setup: p50 12.00ms, p99 48.00ms",
            "calls_set_up: 52 per second",
            "one_way",
            "500us",
            "24.00ms",
            "counters: VIOLATIONS",
            "6.00ms  24.00ms  54.00ms",
            "connections: 200",
            "! ",
            "kill n2",
            "freeze redis",
            "✗ lost == 0 (2)",
            "✓ p99(call_setup) < 250ms (24.00ms)",
            "· reconnected < 5s",
            "7 connect: 503 busy",
        ] {
            assert!(all.contains(part), "{width}x{height} lacks {part}:\n{all}");
        }
        let bar = |node: &str, count: &str| {
            lines
                .iter()
                .any(|line| line.contains(node) && line.contains(count))
        };
        assert!(bar("n1", "120") && bar("n2", "80"), "{all}");
        assert!(
            all.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)),
            "no curve:\n{all}"
        );
    }
}

/// The colour of the first letter of `part`.
fn color_of(buffer: &Buffer, part: &str) -> Color {
    for (y, line) in text(buffer).iter().enumerate() {
        if let Some(start) = line.find(part) {
            let x = line[..start].chars().count();
            return buffer[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())].fg;
        }
    }
    panic!("{part} is not there");
}

#[test]
fn violations_and_missed_thresholds_are_red() {
    let buffer = draw(&progress(), 80, 24);
    assert_eq!(color_of(&buffer, "lost   "), Color::Red);
    assert_eq!(color_of(&buffer, "✗ lost == 0"), Color::Red);
    assert_eq!(color_of(&buffer, "✓ p99"), Color::Green);
}

#[test]
fn a_clean_load_says_so() {
    let mut clean = progress();
    clean.counts = [(Counter::Arrived, 9)].into();
    assert_eq!(color_of(&draw(&clean, 80, 24), "no violations"), Color::Green);
}

#[test]
fn a_tiny_terminal_shows_violations_and_does_not_panic() {
    let buffer = draw(&progress(), 20, 5);
    assert!(text(&buffer)[0].contains("lost 2"), "{:?}", text(&buffer));
    let mut full = progress();
    for number in 0..40 {
        full.series[11]
            .connected
            .insert(format!("a-node-with-a-long-name-{number}"), number);
        full.errors.add(&format!("error {number}"), 1);
    }
    for counter in Counter::ALL {
        full.counts.insert(*counter, u64::MAX);
    }
    for metric in Metric::ALL {
        full.times.insert(metric, Quantiles::default());
    }
    for (width, height) in [(1, 1), (2, 1), (20, 5), (60, 16), (61, 17), (300, 100)] {
        for progress in [&Progress::default(), &progress(), &full] {
            draw(progress, width, height);
        }
    }
}

#[test]
fn a_list_that_does_not_fit_ends_with_the_number_of_missing_lines() {
    let mut progress = progress();
    for number in 0..40 {
        progress.errors.add(&format!("error {number}"), 1);
    }
    let all = text(&draw(&progress, 80, 24)).join("\n");
    let has = |part| all.contains(part);
    assert!(has("connect: 503 busy") && has("… 36 more"), "{all}");
}

#[test]
fn a_long_load_shows_its_last_minutes() {
    let mut progress = progress();
    progress.length = Duration::from_secs(7200);
    progress.series[11].at_s = 5000.0;
    let all = text(&draw(&progress, 80, 24)).join("\n");
    let has = |part| all.contains(part);
    assert!(has("p99 48.00ms") && has("calls_set_up: 52"), "{all}");
}

#[test]
fn lines_are_printed_once_per_second_and_faults_immediately() {
    let (mut plain, start) = (Plain::default(), Instant::now());
    let mut progress = progress();
    progress.faults[0].state = FaultState::Planned;
    let first = plain.lines(&progress, start);
    assert_eq!(first[0], "node-kill, run 1 of 3, 2 workers");
    assert_eq!(first[1], "threshold missed so far: lost == 0 (2)");
    assert_eq!(
        first[2],
        "12s of 30s  calls_set_up 52/s  call_setup p50 12.00ms p99 48.00ms  connections 200 (n1 120, n2 80)  errors 7  \
         thresholds 1 of 2 met  lost 2!"
    );
    assert!(
        plain
            .lines(&progress, start + Duration::from_millis(900))
            .is_empty()
    );
    progress.faults[0].state = FaultState::Done;
    assert_eq!(
        plain.lines(&progress, start + Duration::from_millis(950)),
        ["fault: kill n2 at 10.0s"]
    );
    assert_eq!(
        plain.lines(&progress, start + Duration::from_millis(1000)).len(),
        1
    );
    progress.phase = Phase::Settling;
    progress.thresholds[1].is_met = true;
    let settling = plain.lines(&progress, start + Duration::from_millis(1100));
    let expected = [
        "threshold met again: lost == 0 (2)",
        "waiting for the last messages  errors 7  thresholds 2 of 2 met  lost 2!",
    ];
    assert_eq!(settling, expected);
    assert!(plain.lines(&progress, start + Duration::from_secs(9)).is_empty());
}

#[test]
fn q_and_control_c_ask_for_a_stop() {
    let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
    assert!(terminal::is_stop(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(terminal::is_stop(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(!terminal::is_stop(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
    assert!(!terminal::is_stop(&Event::Resize(80, 24)));
}
