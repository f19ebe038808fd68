//! What the bystanders notice, before the attack and since it began.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use switchboard_harness::stats::new_histogram;

/// Errors that are kept in words; more are only counted.
const MAX_WORDS: usize = 8;

/// Percentiles of one part of the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

/// All that was noticed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noticed {
    /// From the moment a message was due until its outcome: before, and since.
    pub(crate) messages: [Times; 2],
    /// From the start of a connect until `welcome`: before, and since.
    pub(crate) connects: [Times; 2],
    /// Sends with an error or without an outcome, lost connections, messages lost, twice or out of order.
    pub(crate) errors: u64,
    /// Connects that were refused, or took too long.
    pub(crate) refusals: u64,
    /// The first of both in words.
    pub(crate) words: Vec<String>,
}

type Histogram = [hdrhistogram::Histogram<u64>; 2];

/// Collects observations.
pub(crate) struct Tally(Mutex<State>);

struct State {
    attacked: Option<Instant>,
    messages: Histogram,
    connects: Histogram,
    errors: u64,
    refusals: u64,
    words: Vec<String>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let histograms = || [new_histogram(), new_histogram()];
        Self(Mutex::new(State {
            attacked: None,
            messages: histograms(),
            connects: histograms(),
            errors: 0,
            refusals: 0,
            words: Vec::new(),
        }))
    }

    /// The attack begins.
    pub(crate) fn attacked(&self) {
        self.state().attacked = Some(Instant::now());
    }

    /// A message that was due at `due` has its outcome now.
    pub(crate) fn delivered(&self, due: Instant) {
        let mut state = self.state();
        let part = state.part(due);
        state.messages[part].saturating_record(nanos(due.elapsed()));
    }

    /// A connect that began at `start` is welcome now.
    pub(crate) fn connected(&self, start: Instant) {
        let mut state = self.state();
        let part = state.part(start);
        state.connects[part].saturating_record(nanos(start.elapsed()));
    }

    /// A bystander met an error.
    pub(crate) fn error(&self, words: String) {
        let mut state = self.state();
        state.errors += 1;
        state.keep(words);
    }

    /// A newcomer was refused.
    pub(crate) fn refused(&self, words: String) {
        let mut state = self.state();
        state.refusals += 1;
        state.keep(words);
    }

    /// All so far.
    pub(crate) fn noticed(&self) -> Noticed {
        let state = self.state();
        Noticed {
            messages: state.messages.each_ref().map(times),
            connects: state.connects.each_ref().map(times),
            errors: state.errors,
            refusals: state.refusals,
            words: state.words.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn part(&self, moment: Instant) -> usize {
        usize::from(self.attacked.is_some_and(|attacked| moment >= attacked))
    }

    fn keep(&mut self, words: String) {
        if self.words.len() < MAX_WORDS {
            self.words.push(words);
        }
    }
}

fn times(histogram: &hdrhistogram::Histogram<u64>) -> Times {
    let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
    Times {
        count: histogram.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: at(1.0),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
