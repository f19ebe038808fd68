//! The log lines of each state of the bus, captured, with a clock that the test drives.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;

use std::time::Duration;

/// The lines that are logged while it is the subscriber, as level, message and fields.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Captured {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        self.0.lock().push(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct OneOfThree;

impl About for OneOfThree {
    fn server(&self) -> String {
        "redis.example:6379".to_owned()
    }

    fn share(&self) -> Option<usize> {
        Some(33)
    }
}

/// Notes the state that `state` names at each tenth of a second, with five refused commands a second; the lines, with
/// the tick at which each came.
fn run(ticks: u32, state: impl Fn(u32) -> BusState) -> Vec<(u32, String)> {
    run_with_reasons(ticks, |tick| (state(tick), "the reason"))
}

/// The same, with a reason for each.
fn run_with_reasons(ticks: u32, state: impl Fn(u32) -> (BusState, &'static str)) -> Vec<(u32, String)> {
    let captured = Captured::default();
    let _guard = tracing::subscriber::set_default(captured.clone());
    let (mut log, start) = (HealthLog::new("n1"), Instant::now());
    let (mut lines, refused) = (Vec::new(), AtomicU64::new(1_000));
    for tick in 0..ticks {
        let (state, why) = state(tick);
        if state != BusState::Up && tick % 2 == 0 {
            refused.fetch_add(1, Ordering::Relaxed);
        }
        let note = Note {
            state,
            why,
            refused: refused.load(Ordering::Relaxed),
            about: &OneOfThree,
        };
        log.note(&note, start + Duration::from_millis(100) * tick);
        lines.extend(captured.0.lock().drain(..).map(|line| (tick, line)));
    }
    lines
}

#[test]
fn every_state_has_a_line_at_its_beginning_one_a_minute_and_one_at_its_end() {
    let states = [
        (BusState::Connecting, "is being connected"),
        (BusState::Down, "is down"),
        (BusState::Deaf, "is deaf"),
        (BusState::Refusing, "is refused"),
    ];
    for (state, words) in states {
        let lines = run(1_300, |tick| match tick {
            10..1_250 => state,
            _ => BusState::Up,
        });
        let ticks: Vec<_> = lines.iter().map(|(tick, _)| *tick).collect();
        assert_eq!(ticks, [0, 10, 610, 1_210, 1_250], "{state:?}: {lines:?}");
        for (_, line) in &lines {
            assert!(
                line.contains("node=n1")
                    && line.contains("server=\"redis.example:6379\"")
                    && line.contains(" for 33 % of the peers: "),
                "{line}"
            );
        }
        for (_, line) in &lines[1..4] {
            assert!(
                line.starts_with("WARN") && line.contains("why=\"the reason\""),
                "{line}"
            );
            assert!(
                line.contains(words) || line.contains(&format!("still {words}")),
                "{line}"
            );
            assert!(
                line.contains("calls on one node go on") && line.contains("timeout"),
                "{line}"
            );
        }
        assert!(lines[2].1.contains("down_s=60 refused=301"), "{}", lines[2].1);
        assert!(lines[3].1.contains("down_s=120 refused=601"), "{}", lines[3].1);
        let end = &lines[4].1;
        assert!(
            end.starts_with("INFO") && end.contains("the bus between nodes is up"),
            "{end}"
        );
        assert!(end.contains("down_s=124 refused=620"), "{end}");
    }
}

#[test]
fn attempts_to_connect_are_no_news_and_each_state_of_an_outage_is_named_once() {
    let lines = run(1_300, |tick| match tick {
        0..2 => BusState::Connecting,
        2..10 | 1_250.. => BusState::Up,
        _ if tick % 2 == 1 => BusState::Connecting,
        // Redis is back, but it is a replica.
        _ if tick > 300 && tick % 3 == 0 => BusState::Refusing,
        _ => BusState::Down,
    });
    let texts: Vec<_> = lines
        .iter()
        .map(|(tick, line)| (*tick, line.contains("is refused"), line.contains("still")))
        .collect();
    assert_eq!(
        texts,
        [
            (2, false, false),
            (10, false, false),
            (306, true, false),
            (906, true, true),
            (1_250, false, false)
        ],
        "{lines:?}"
    );
}

#[test]
fn a_first_connection_that_takes_a_moment_is_no_news() {
    let lines = run(1_300, |tick| match tick {
        0..1_250 => BusState::Connecting,
        _ => BusState::Up,
    });
    let ticks: Vec<_> = lines.iter().map(|(tick, _)| *tick).collect();
    assert_eq!(ticks, [600, 1_200, 1_250], "{lines:?}");
}

#[test]
fn a_reason_that_has_changed_after_five_seconds_has_a_line_of_its_own() {
    let lines = run_with_reasons(300, |tick| match tick {
        10..20 => (BusState::Down, "Redis closed the connection"),
        20..250 => (BusState::Down, "the password is wrong"),
        _ => (BusState::Up, ""),
    });
    let ticks: Vec<_> = lines.iter().map(|(tick, _)| *tick).collect();
    assert_eq!(ticks, [0, 10, 60, 250], "{lines:?}");
    assert!(lines[2].1.contains("still is down") && lines[2].1.contains("the password is wrong"));
}

#[test]
fn a_bus_that_goes_up_and_down_has_a_few_lines_a_minute_and_one_that_counts_the_rest() {
    // Down for 0.3 s of each second, for half a minute.
    let lines = run(2_000, |tick| match tick {
        10..310 if tick % 10 < 3 => BusState::Down,
        _ => BusState::Up,
    });
    let ticks: Vec<_> = lines.iter().map(|(tick, _)| *tick).collect();
    assert_eq!(ticks, [0, 10, 13, 20, 23, 30, 33, 610], "{lines:?}");
    let last = &lines[7].1;
    assert!(
        last.contains("count=27") && last.contains("again and again"),
        "{last}"
    );
}

#[test]
fn an_outage_that_lasts_has_its_line_also_after_many_short_ones() {
    let lines = run(500, |tick| match tick {
        10..60 if tick % 10 < 3 => BusState::Down,
        100..300 => BusState::Down,
        _ => BusState::Up,
    });
    let ticks: Vec<_> = lines.iter().map(|(tick, _)| *tick).collect();
    assert_eq!(ticks, [0, 10, 13, 20, 23, 30, 33, 150, 300], "{lines:?}");
}
