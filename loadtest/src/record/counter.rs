//! The counters, with the names that thresholds, reports and files use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The values of the counters. A missing counter is 0.
pub type Counts = BTreeMap<Counter, u64>;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Counter {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Counter {
            /// All counters, in the order of reports.
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
    /// Starts on the schedule: calls, messages of streams, idle connects, changes of rooms and messages to them, abuse.
    Planned = "planned",
    /// Planned starts that were not made, because too much was under way.
    Dropped = "dropped",
    /// Calls started.
    CallsStarted = "calls_started",
    /// Calls set up in time.
    CallsSetUp = "calls_set_up",
    /// Calls not set up in time, or broken.
    CallsFailed = "calls_failed",
    /// Connects started.
    ConnectsTried = "connects_tried",
    /// Connects with a welcome.
    Connects = "connects",
    /// Connects refused or broken.
    ConnectsFailed = "connects_failed",
    /// Connections lost that the generator had not closed.
    Disconnects = "disconnects",
    /// Connections opened again after that.
    Reconnects = "reconnects",
    /// Reconnects that resumed a session.
    Resumes = "resumes",
    /// Reconnects that the server called incomplete.
    Gaps = "gaps",
    /// Pairs on other nodes than the scenario's placement says.
    PlacementMissed = "placement_missed",
    /// Messages sent.
    Sent = "sent",
    /// Sends with the outcome `delivered`, or `published` to a room.
    Delivered = "delivered",
    /// Sends with an error as outcome: the message is lost, and the sender knows it.
    SendErrors = "send_errors",
    /// Messages that arrived at their receiver.
    Arrived = "arrived",
    /// Never arrived although the sender got no error, or got `delivered`.
    Lost = "lost",
    /// Arrived more than once.
    Duplicated = "duplicated",
    /// Arrived after a later message of the same sender.
    Reordered = "reordered",
    /// Arrived with other content.
    Corrupted = "corrupted",
    /// Arrived at the wrong peer, or with the wrong sender.
    Misdelivered = "misdelivered",
    /// Sends without the outcome that the server promised.
    NoOutcome = "no_outcome",
    /// Joins of rooms that the node answered.
    Joins = "joins",
    /// Joins that were refused.
    JoinsFailed = "joins_failed",
    /// Leaves of rooms that the node answered.
    Leaves = "leaves",
    /// Rosters compared with the truth at the end: one for each room of each peer.
    RostersChecked = "rosters_checked",
    /// Rosters that differ from the truth in the end.
    RostersWrong = "rosters_wrong",
    /// Bad tokens tried.
    AbuseTried = "abuse_tried",
    /// Bad tokens refused.
    AbuseRefused = "abuse_refused",
    /// Bad tokens accepted.
    AbuseAccepted = "abuse_accepted",
    /// Payload bytes sent.
    BytesSent = "bytes_sent",
    /// Messages that the oracle had no room for and did not check.
    OracleFull = "oracle_full",
}

impl Counter {
    /// The violations, which fail a run without any threshold.
    pub const VIOLATIONS: &[Self] = &[
        Self::Lost,
        Self::Duplicated,
        Self::Reordered,
        Self::Corrupted,
        Self::Misdelivered,
        Self::NoOutcome,
        Self::RostersWrong,
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
