//! The times that are measured, each twice: from the planned start and from the actual start.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use switchboard_harness::stats::new_histogram;

/// A time that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// TCP (and TLS) connect.
    Connect,
    /// From the upgrade request with the token until the welcome.
    Authenticate,
    /// From sending the offer until the answer has arrived.
    OfferAnswer,
    /// From sending a message until its receiver has it.
    OneWay,
    /// From sending a message until its sender has the outcome.
    Outcome,
    /// From the start of a call until both sides have the description and first candidate of the other.
    CallSetup,
    /// From asking to join a room until the node's answer.
    Join,
    /// From the last change of a room until all rosters of one peer are right.
    RosterComplete,
    /// From the loss of a connection until the next one is open.
    Reconnect,
    /// From the planned start until the generator made it.
    StartDelay,
}

impl Metric {
    /// All metrics, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::CallSetup,
        Self::OfferAnswer,
        Self::OneWay,
        Self::Outcome,
        Self::Join,
        Self::RosterComplete,
        Self::Connect,
        Self::Authenticate,
        Self::Reconnect,
        Self::StartDelay,
    ];

    /// The name in thresholds, reports and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Authenticate => "authenticate",
            Self::OfferAnswer => "offer_answer",
            Self::OneWay => "one_way",
            Self::Outcome => "outcome",
            Self::CallSetup => "call_setup",
            Self::Join => "join",
            Self::RosterComplete => "roster_complete",
            Self::Reconnect => "reconnect",
            Self::StartDelay => "start_delay",
        }
    }

    /// The metric of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.name() == name)
    }
}

/// The times of one metric, in nanoseconds.
#[derive(Debug, Clone)]
pub struct HistogramPair {
    /// From the planned starts: what users of an open system experience.
    pub corrected: Histogram<u64>,
    /// From the actual starts.
    pub uncorrected: Histogram<u64>,
}

impl Default for HistogramPair {
    fn default() -> Self {
        Self {
            corrected: new_histogram(),
            uncorrected: new_histogram(),
        }
    }
}

impl HistogramPair {
    /// Adds all times of another pair.
    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds, so nothing is out of range.
        let _ = self.corrected.add(&other.corrected);
        let _ = self.uncorrected.add(&other.uncorrected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.name()), Some(metric));
        }
    }
}
