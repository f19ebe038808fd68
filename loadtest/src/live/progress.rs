//! How a load stands: what the views show. Plain data that the coordinator keeps up to date.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    record::{Counter, Counts, ErrorTally, Metric},
    results::{Quantiles, Second, ThresholdResult},
};

/// How a load stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// The scenario's name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) about: String,
    /// Which repeat this is, from 1.
    pub(crate) repeat: u32,
    /// Of how many.
    pub(crate) repeats: u32,
    /// What is going on.
    pub(crate) phase: Phase,
    /// Since the start of the load; zero before.
    pub(crate) elapsed: Duration,
    /// How long the load lasts.
    pub(crate) length: Duration,
    /// Connections that must be there before the load begins.
    pub(crate) connections_wanted: u64,
    /// Worker processes or agents.
    pub(crate) workers: usize,
    /// The course of it so far.
    pub(crate) series: Vec<Second>,
    /// How often each thing happened so far.
    pub(crate) counts: Counts,
    /// Corrected times so far.
    pub(crate) times: BTreeMap<Metric, Quantiles>,
    /// What went wrong so far.
    pub(crate) errors: ErrorTally,
    /// What is done to the cluster, in the order of time.
    pub(crate) faults: Vec<FaultMark>,
    /// The thresholds, as if this were the end.
    pub(crate) thresholds: Vec<ThresholdResult>,
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Servers and workers are started.
    #[default]
    Starting,
    /// Those who must be there before the load connect.
    Connecting,
    /// The load.
    Load,
    /// The last messages and words are waited for.
    Settling,
    /// All over.
    Done,
}

/// A fault, planned or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultMark {
    /// When, since the start of the load.
    pub(crate) at: Duration,
    /// What, such as `kill n1`.
    pub(crate) what: String,
    /// What came of it.
    pub(crate) state: FaultState,
}

/// What came of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultState {
    /// Not done yet.
    Planned,
    /// Done.
    Done,
    /// It could not be done, and why.
    Failed(String),
}

impl Progress {
    /// The second that ended last.
    pub(super) fn latest(&self) -> Option<&Second> {
        self.series.last()
    }

    pub(super) fn count(&self, counter: Counter) -> u64 {
        self.counts.get(&counter).copied().unwrap_or(0)
    }

    /// Connections now, on all nodes.
    pub(super) fn connections(&self) -> u64 {
        self.latest().map_or(0, |second| second.connected.values().sum())
    }

    /// The time that this load is about: the first in the order of reports that there is.
    pub(super) fn main_metric(&self) -> Option<Metric> {
        Metric::ALL
            .into_iter()
            .find(|metric| self.times.contains_key(metric))
    }

    /// The count that this load is about.
    pub(super) fn main_counter(&self) -> Counter {
        let kinds = [
            (Counter::CallsStarted, Counter::CallsSetUp),
            (Counter::Arrived, Counter::Arrived),
            (Counter::AbuseTried, Counter::AbuseTried),
        ];
        let kind = kinds.into_iter().find(|(sign, _)| self.count(*sign) > 0);
        kind.map_or(Counter::Connects, |(_, counter)| counter)
    }

    /// Offences, the silent ones first; how often each came.
    pub(super) fn offences(&self) -> impl Iterator<Item = (Counter, u64)> {
        let also = [Counter::AbuseAccepted, Counter::OracleFull];
        Counter::VIOLATIONS
            .iter()
            .copied()
            .chain(also)
            .map(|counter| (counter, self.count(counter)))
            .filter(|(_, count)| *count > 0)
    }

    /// What is going on, in a few words.
    pub(super) fn phase_text(&self) -> String {
        match self.phase {
            Phase::Starting => "starting servers and workers".into(),
            Phase::Connecting => format!("connecting {} of {}", self.connections(), self.connections_wanted),
            Phase::Load => format!("{}s of {}s", self.elapsed.as_secs(), self.length.as_secs()),
            Phase::Settling => "waiting for the last messages".into(),
            Phase::Done => "done".into(),
        }
    }

    /// How much of what is going on is done, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "for a gauge")]
    pub(super) fn share_done(&self) -> f64 {
        let share = match self.phase {
            Phase::Starting => 0.0,
            Phase::Connecting => self.connections() as f64 / self.connections_wanted.max(1) as f64,
            Phase::Load => self.elapsed.as_secs_f64() / self.length.as_secs_f64().max(0.001),
            Phase::Settling | Phase::Done => 1.0,
        };
        share.clamp(0.0, 1.0)
    }
}
