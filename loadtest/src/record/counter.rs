//! The things that are counted, under the names that thresholds, reports and files use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often each thing happened. A counter that is not in it is 0.
pub type Counts = BTreeMap<Counter, u64>;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A thing that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Counter {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Counter {
            /// All of them, in the order in which reports show them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in thresholds, reports and files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

counters! {
    /// Starts on the schedule: calls, messages of streams, idle connects, abuse.
    Planned = "planned",
    /// Planned starts that were not made, because too much was under way.
    Dropped = "dropped",
    /// Calls begun.
    CallsStarted = "calls_started",
    /// Calls that were set up in time.
    CallsSetUp = "calls_set_up",
    /// Calls that were not, or that broke.
    CallsFailed = "calls_failed",
    /// Connects begun.
    ConnectsTried = "connects_tried",
    /// Connects that led to a welcome.
    Connects = "connects",
    /// Connects refused or broken.
    ConnectsFailed = "connects_failed",
    /// Connections lost that nobody here had closed.
    Disconnects = "disconnects",
    /// Connections got back after that.
    Reconnects = "reconnects",
    /// Of those, such that went on with a session.
    Resumes = "resumes",
    /// Of those, such that the server called incomplete.
    Gaps = "gaps",
    /// Pairs that were not placed as wished.
    PlacementMissed = "placement_missed",
    /// Messages sent.
    Sent = "sent",
    /// Final words `delivered`.
    Delivered = "delivered",
    /// Sends that ended in an error: lost, but told.
    SendErrors = "send_errors",
    /// Messages that arrived at their receiver.
    Arrived = "arrived",
    /// Never arrived, and nobody was told; or told `delivered` and never arrived.
    Lost = "lost",
    /// Arrived more than once.
    Duplicated = "duplicated",
    /// Arrived after a later message of the same sender.
    Reordered = "reordered",
    /// Arrived changed.
    Corrupted = "corrupted",
    /// Arrived at somebody else, or under another sender's name.
    Misdelivered = "misdelivered",
    /// Sends that the server promised a final word and never gave one.
    NoOutcome = "no_outcome",
    /// Bad tokens tried.
    AbuseTried = "abuse_tried",
    /// Bad tokens refused.
    AbuseRefused = "abuse_refused",
    /// Bad tokens let in.
    AbuseAccepted = "abuse_accepted",
    /// Payload bytes sent.
    BytesSent = "bytes_sent",
    /// Oracle records that there was no room for: nothing can be said then.
    OracleFull = "oracle_full",
}

impl Counter {
    /// The offences that fail a run, whatever its thresholds.
    pub const VIOLATIONS: &[Self] = &[
        Self::Lost,
        Self::Duplicated,
        Self::Reordered,
        Self::Corrupted,
        Self::Misdelivered,
        Self::NoOutcome,
    ];

    /// The counter of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|counter| counter.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_found_by_its_name() {
        for counter in Counter::ALL {
            assert_eq!(Counter::named(counter.name()), Some(*counter));
        }
        assert_eq!(Counter::named("nonsense"), None);
    }
}
