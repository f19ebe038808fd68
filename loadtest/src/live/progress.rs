//! The progress of a load, which the views show. Plain data that the coordinator updates.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    record::{Counter, Counts, ErrorTally, Metric},
    results::{Quantiles, Second, ThresholdResult},
};

/// The progress of a load.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// The scenario's name.
    pub(crate) name: String,
    /// Its purpose.
    pub(crate) about: String,
    /// Number of the repeat, from 1.
    pub(crate) repeat: u32,
    /// Number of repeats.
    pub(crate) repeats: u32,
    /// The current phase.
    pub(crate) phase: Phase,
    /// Since the start of the load; zero before.
    pub(crate) elapsed: Duration,
    /// Length of the load.
    pub(crate) length: Duration,
    /// Connections to open before the load starts.
    pub(crate) connections_wanted: u64,
    /// Worker processes or agents.
    pub(crate) workers: usize,
    /// The timeline so far.
    pub(crate) series: Vec<Second>,
    /// The counters so far.
    pub(crate) counts: Counts,
    /// Corrected times so far.
    pub(crate) times: BTreeMap<Metric, Quantiles>,
    /// The errors so far.
    pub(crate) errors: ErrorTally,
    /// The faults, by time.
    pub(crate) faults: Vec<FaultMark>,
    /// The thresholds, evaluated on the load so far.
    pub(crate) thresholds: Vec<ThresholdResult>,
    /// The thresholds whose figure has no value yet.
    pub(crate) waiting: Vec<String>,
}

/// A phase of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Servers and workers start.
    #[default]
    Starting,
    /// Peers connect that must be connected before the load.
    Connecting,
    /// The load.
    Load,
    /// Wait for the last messages and outcomes.
    Settling,
    /// The user asked for an early end.
    Stopping,
    /// Everything has ended.
    Done,
}

/// A planned or executed fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultMark {
    /// Its time, since the start of the load.
    pub(crate) at: Duration,
    /// The fault, for example `kill n1`.
    pub(crate) what: String,
    /// Its state.
    pub(crate) state: FaultState,
}

/// The state of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultState {
    /// Not done yet.
    Planned,
    /// Done.
    Done,
    /// It could not be done; the reason.
    Failed(String),
}

impl Progress {
    /// The last complete second.
    pub(super) fn latest(&self) -> Option<&Second> {
        self.series.last()
    }

    pub(super) fn count(&self, counter: Counter) -> u64 {
        self.counts.get(&counter).copied().unwrap_or(0)
    }

    /// Open connections on all nodes.
    pub(super) fn connections(&self) -> u64 {
        self.latest().map_or(0, |second| second.connected.values().sum())
    }

    /// The main time of this load: the first one in the order of reports.
    pub(super) fn main_metric(&self) -> Option<Metric> {
        Metric::ALL
            .into_iter()
            .find(|metric| self.times.contains_key(metric))
    }

    /// The main counter of this load.
    pub(super) fn main_counter(&self) -> Counter {
        let kinds = [
            (Counter::CallsStarted, Counter::CallsSetUp),
            (Counter::Arrived, Counter::Arrived),
            (Counter::AbuseTried, Counter::AbuseTried),
        ];
        let kind = kinds.into_iter().find(|(sign, _)| self.count(*sign) > 0);
        kind.map_or(Counter::Connects, |(_, counter)| counter)
    }

    /// The violations and their numbers; what makes a run invalid or insecure counts too.
    pub(super) fn violations(&self) -> impl Iterator<Item = (Counter, u64)> {
        let also = [Counter::AbuseAccepted, Counter::OracleFull];
        Counter::VIOLATIONS
            .iter()
            .copied()
            .chain(also)
            .map(|counter| (counter, self.count(counter)))
            .filter(|(_, count)| *count > 0)
    }

    /// The phase as text.
    pub(super) fn phase_text(&self) -> String {
        match self.phase {
            Phase::Starting => "starting servers and workers".into(),
            Phase::Connecting => format!("connecting {} of {}", self.connections(), self.connections_wanted),
            Phase::Load => format!("{}s of {}s", self.elapsed.as_secs(), self.length.as_secs()),
            Phase::Settling => "waiting for the last messages".into(),
            Phase::Stopping => "stopping; the report follows (Ctrl-C again: end at once)".into(),
            Phase::Done => "done".into(),
        }
    }

    /// The completed share of the phase, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "for a gauge")]
    pub(super) fn share_done(&self) -> f64 {
        let share = match self.phase {
            Phase::Starting => 0.0,
            Phase::Connecting => self.connections() as f64 / self.connections_wanted.max(1) as f64,
            Phase::Load => self.elapsed.as_secs_f64() / self.length.as_secs_f64().max(0.001),
            Phase::Settling | Phase::Stopping | Phase::Done => 1.0,
        };
        share.clamp(0.0, 1.0)
    }
}

/// The request of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserRequest {
    /// Continue the load.
    Continue,
    /// Stop the load early, with a report.
    Stop,
}
