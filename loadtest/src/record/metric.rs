//! The times that are measured, each twice: from the moment it should have begun, and from when it did.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time told apart, in nanoseconds: five minutes. Longer ones count as that.
const LONGEST_NS: u64 = 300_000_000_000;

/// A time that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// TCP (and TLS) connected.
    Connect,
    /// From the upgrade request with the token until the server's welcome.
    Authenticate,
    /// From the offer's send until the answer has arrived.
    OfferAnswer,
    /// A message from its send until its receiver has it.
    OneWay,
    /// A message from its send until its sender has the final word.
    Outcome,
    /// From a call's start until both have the other's description and first candidate.
    CallSetup,
    /// From the loss of a connection until there is one again.
    Reconnect,
    /// How late the generator itself was: from the moment a start was planned until it was made.
    StartDelay,
}

impl Metric {
    /// All of them, in the order in which reports show them.
    pub const ALL: [Self; 8] = [
        Self::CallSetup,
        Self::OfferAnswer,
        Self::OneWay,
        Self::Outcome,
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
    /// From the moment each should have begun: what a user of an open system lives through.
    pub corrected: Histogram<u64>,
    /// From the moment each did begin.
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
    /// Adds all of another's.
    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds, so nothing is out of range.
        let _ = self.corrected.add(&other.corrected);
        let _ = self.uncorrected.add(&other.uncorrected);
    }
}

/// An empty histogram of nanoseconds with three significant digits.
#[must_use]
pub fn new_histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that the library accepts"
    )]
    Histogram::new_with_bounds(1_000, LONGEST_NS, 3).expect("constant bounds")
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
