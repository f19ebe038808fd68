//! Why a pub/sub connection had to end.

use switchboard_telemetry::BusRebuild;

/// The reason, for metrics and for people.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) reason: BusRebuild,
    /// For people.
    pub(super) why: String,
}

impl Ended {
    pub(super) fn new(reason: BusRebuild, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
        }
    }
}
