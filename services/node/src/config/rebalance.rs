//! `[rebalance]`: when a node asks clients to move to other nodes, and how fast.

use std::time::Duration;

use switchboard_core::{MaxAge, RebalanceRate, RebalanceRules};
use switchboard_edge::RebalancePlan;

use super::{check::in_range, error::ConfigError, section::section};

section! {
    /// `[rebalance]`.
    RebalanceSection {
        /// Whether a node with more than its share of the cluster's connections asks clients to move.
        enabled: bool = false,
        /// It begins above this multiple of the mean of all nodes, and ends half-way back to the mean.
        high_watermark: f64 = 1.1,
        /// A node with this number of connections or fewer asks no client.
        min_connections: usize = 100,
        /// The share of its connections that a node asks per second at most …
        rate_share: f64 = 0.04,
        /// … or this number of connections, if it is larger.
        rate_connections: usize = 5,
        /// How long a node must be ready before it is counted and asks clients, in milliseconds.
        settle_ms: u64 = 10_000,
        /// The age at which a connection is asked to move, in seconds; it is closed a minute later. 0: never.
        max_connection_age_s: u64 = 0,
        /// Each connection's own age limit is lower by up to this share, from 0 to 1.
        max_connection_age_jitter: f64 = 0.1,
    }
}

impl RebalanceSection {
    pub(super) fn check(&self) -> Result<RebalancePlan, ConfigError> {
        let (age_s, jitter) = (self.max_connection_age_s, self.max_connection_age_jitter);
        in_range("rebalance.high_watermark", self.high_watermark, 1.01, 100.0)?;
        in_range("rebalance.min_connections", self.min_connections, 1, 10_000_000)?;
        in_range("rebalance.rate_share", self.rate_share, 0.0, 1.0)?;
        in_range("rebalance.rate_connections", self.rate_connections, 1, 1_000_000)?;
        in_range("rebalance.settle_ms", self.settle_ms, 0, 600_000)?;
        in_range("rebalance.max_connection_age_jitter", jitter, 0.0, 1.0)?;
        if age_s > 0 {
            in_range("rebalance.max_connection_age_s", age_s, 1, 31_536_000)?;
        }
        let max = Duration::from_secs(age_s);
        Ok(RebalancePlan {
            enabled: self.enabled,
            rules: RebalanceRules {
                high: self.high_watermark,
                floor: self.min_connections,
                rate: RebalanceRate {
                    share: self.rate_share,
                    min: self.rate_connections,
                },
            },
            settle: Duration::from_millis(self.settle_ms),
            max_age: (age_s > 0).then_some(MaxAge { max, jitter }),
        })
    }
}
