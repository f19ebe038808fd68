//! The populations of a scenario: calls, streams, idle peers, abuse. Each is on its own, and they may run
//! together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Span;

/// How starts follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Each independent of the others, as many users are: exponential gaps.
    #[default]
    Poisson,
    /// Evenly spaced.
    Uniform,
    /// Evenly spaced, but all of a millisecond together at its beginning, as from timers of that precision.
    Ticks,
}

/// What decides when the next call starts, or the next message of a stream is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// The schedule, whatever the server does: a slow server does not slow its load down.
    #[default]
    Open,
    /// The end of an earlier one. A stage's `rate` is then the number of calls, or of unfinished messages over all pairs,
    /// at any time. Slow answers hide themselves (coordinated omission).
    Closed,
}

/// Which nodes the two of a pair are on; verified from what the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Both on one.
    SameNode,
    /// On two.
    CrossNode,
    /// As it comes.
    #[default]
    Random,
}

/// A part of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Starts a second at its beginning.
    pub rate: f64,
    /// Starts a second at its end, reached evenly; the same as `rate` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// How long stages last together; no longer than a [`Duration`] can be.
#[must_use]
pub fn length_of(stages: &[Stage]) -> Duration {
    let lengths = stages.iter().map(|stage| stage.lasts.get());
    lengths.fold(Duration::ZERO, Duration::saturating_add)
}

/// The highest rate in any of the stages; 0 if there is none.
#[must_use]
pub fn highest_rate(stages: &[Stage]) -> f64 {
    let rates = stages.iter().map(|stage| stage.rate.max(stage.to.unwrap_or(0.0)));
    rates.fold(0.0, f64::max)
}

/// Calls that come and go: connect → offer → answer → candidates each way → renegotiations → bye.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// Open or closed.
    pub model: Model,
    /// How starts follow each other; of the open model.
    pub arrivals: Arrivals,
    /// Ramp, hold, spike: one after the other.
    pub stages: Vec<Stage>,
    /// Which nodes caller and callee are on.
    pub placement: Placement,
    /// Smallest and largest offer, in bytes; drawn evenly. Answers are as long as their offers.
    pub offer_bytes: [usize; 2],
    /// Candidates that each side sends, the first at once with its description.
    pub candidates: u32,
    /// The mean gap between candidates, exponentially distributed.
    pub candidate_gap: Span,
    /// Further rounds of offer and answer during the talk.
    pub renegotiations: u32,
    /// How long a call lasts once it is set up, until `bye`.
    pub talk: Span,
    /// A call that is not set up by then has failed.
    pub deadline: Span,
    /// Whether a lost connection is taken up again (sessions); else it ends the call.
    pub resume: bool,
    /// Calls under way at once; starts beyond are dropped, counted, and make the run invalid if too many.
    pub max_at_once: usize,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            model: Model::default(),
            arrivals: Arrivals::default(),
            stages: Vec::new(),
            placement: Placement::default(),
            offer_bytes: [2048, 8192],
            candidates: 6,
            candidate_gap: Span::from_millis(20),
            renegotiations: 0,
            talk: Span::from_millis(500),
            deadline: Span::from_secs(10),
            resume: false,
            max_at_once: 5_000,
        }
    }
}

/// Some receivers that stop reading.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// The share of pairs whose receiver is slow, 0 to 1.
    pub share: f64,
    /// How long it does not read, again and again.
    pub pause: Span,
    /// How long it reads in between.
    pub reads: Span,
}

/// Pairs that stay and send to each other steadily.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Streams {
    /// Open or closed.
    pub model: Model,
    /// Pairs.
    pub pairs: usize,
    /// Whether both of a pair send, in turn; else only the first, and all firsts are on the first node.
    pub both_ways: bool,
    /// Messages a second over all pairs.
    pub stages: Vec<Stage>,
    /// How messages follow each other.
    pub arrivals: Arrivals,
    /// Which nodes the two are on.
    pub placement: Placement,
    /// Bytes of a payload.
    pub payload_bytes: usize,
    /// Whether a lost connection is taken up again (sessions).
    pub resume: bool,
    /// Whether messages carry an id, and so get an outcome.
    pub outcomes: bool,
    /// Some receivers that stop reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            model: Model::default(),
            pairs: 50,
            both_ways: true,
            stages: Vec::new(),
            arrivals: Arrivals::default(),
            placement: Placement::default(),
            payload_bytes: 1200,
            resume: true,
            outcomes: true,
            slow: None,
        }
    }
}

/// Peers that only stay connected.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Idle {
    /// Peers.
    pub connections: usize,
    /// Connects a second, until all are there.
    pub ramp_per_second: f64,
    /// Connects under way at once in one worker.
    pub connects_at_once: usize,
    /// Whether they connect during the load instead of before it.
    pub ramp_in_load: bool,
    /// How long they stay once all are there.
    pub hold: Span,
    /// Whether each sends itself one message when all are there: memory after traffic is what counts.
    pub traffic: bool,
    /// When, counted from the time all are there, all connections are dropped at once and come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm_at: Option<Span>,
    /// The longest that a peer waits before it comes back; each draws its wait evenly from zero to that.
    pub storm_spread: Span,
}

impl Default for Idle {
    fn default() -> Self {
        Self {
            connections: 1_000,
            ramp_per_second: 1_000.0,
            connects_at_once: 512,
            ramp_in_load: false,
            hold: Span::from_secs(10),
            traffic: true,
            storm_at: None,
            storm_spread: Span::from_secs(1),
        }
    }
}

/// Connects with tokens that must be refused: expired, forged, of the wrong audience, none, garbage.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Abuse {
    /// Attempts a second over the stages.
    pub stages: Vec<Stage>,
    /// How attempts follow each other.
    pub arrivals: Arrivals,
}
