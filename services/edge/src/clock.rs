//! The wall clock, for tokens, ICE credentials and `pong`. Not for timeouts: those use instants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since the Unix epoch; zero on a clock that is set before it.
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
