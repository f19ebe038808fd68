//! `[drain]`: how the node drains before it stops.

use std::time::Duration;

use switchboard_edge::DrainPlan;

use super::{check::in_range, error::ConfigError, section::section};

section! {
    /// `[drain]`.
    DrainSection {
        /// How long the node serves on after it says that it is not ready, so that balancers notice; in milliseconds.
        settle_ms: u64 = 5_000,
        /// The time over which the `goaway`s are spread, in milliseconds.
        window_ms: u64 = 15_000,
        /// How long a client has between its `goaway` and its close, in milliseconds.
        grace_ms: u64 = 2_000,
        /// When connections that are still open are cut off, in milliseconds from the first `goaway`.
        deadline_ms: u64 = 25_000,
    }
}

/// How the node drains, checked.
#[derive(Debug, Clone, Copy)]
pub struct DrainSettings {
    /// How long the node serves on after it says that it is not ready.
    pub settle: Duration,
    /// What happens then.
    pub plan: DrainPlan,
}

impl DrainSection {
    pub(super) fn check(&self) -> Result<DrainSettings, ConfigError> {
        if self.window_ms + self.grace_ms > self.deadline_ms {
            let problem =
                "must be at least drain.window_ms + drain.grace_ms, or the last clients are cut off";
            return Err(ConfigError::new("drain.deadline_ms", problem));
        }
        in_range("drain.deadline_ms", self.deadline_ms, 0, 3_600_000)?;
        in_range("drain.settle_ms", self.settle_ms, 0, 600_000)?;
        Ok(DrainSettings {
            settle: Duration::from_millis(self.settle_ms),
            plan: DrainPlan {
                window: Duration::from_millis(self.window_ms),
                grace: Duration::from_millis(self.grace_ms),
                deadline: Duration::from_millis(self.deadline_ms),
            },
        })
    }
}
