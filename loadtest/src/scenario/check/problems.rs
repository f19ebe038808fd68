//! The problems of a scenario, as they are found, and the bounds that several checks share.

use crate::scenario::{Scenario, Span};

/// The longest any one time in a scenario may be.
pub(super) const MAX_TIME: Span = Span::from_secs(24 * 60 * 60);
/// Connections, over all populations.
pub(super) const MAX_CONNECTIONS: usize = 1_000_000;
/// Bytes of an offer or a payload.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// Starts a second.
pub(crate) const MAX_RATE: f64 = 1_000_000.0;

/// Adds the problem `key: text` unless the condition holds. Key and text are format strings.
macro_rules! require {
    ($problems:expr, $is_fine:expr => $key:literal, $($text:tt)+) => {
        if !$is_fine {
            $problems.add(&format!($key), &format!($($text)+));
        }
    };
}
pub(super) use require;

/// The problems found so far.
pub(super) struct Problems(pub(super) Vec<String>);

impl Problems {
    pub(super) fn add(&mut self, key: &str, problem: &str) {
        self.0.push(format!("{key}: {problem}"));
    }

    /// A time that may be zero.
    pub(super) fn time(&mut self, key: &str, span: Span) {
        require!(self, span <= MAX_TIME => "{key}", "{span} is too long; at most {MAX_TIME}");
    }

    /// A time that must not be zero.
    pub(super) fn time_above_zero(&mut self, key: &str, span: Span) {
        require!(self, !span.get().is_zero() => "{key}", "is zero; say for example 10s");
        self.time(key, span);
    }

    /// A share of a whole.
    pub(super) fn share(&mut self, key: &str, share: f64) {
        require!(self, (0.0..=1.0).contains(&share) => "{key}", "{share} is no share; say 0 to 1");
    }

    /// A whole number between two.
    pub(super) fn within(&mut self, key: &str, value: usize, min: usize, max: usize) {
        require!(self, (min..=max).contains(&value) => "{key}", "{value} is out of range; say {min} to {max}");
    }
}

/// How many nodes there are.
pub(super) fn nodes(scenario: &Scenario) -> usize {
    match scenario.target.urls.len() {
        0 => scenario.cluster.nodes,
        named => named,
    }
}
