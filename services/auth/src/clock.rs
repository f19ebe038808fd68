//! The wall clock as a value, so that a test moves time by hand. Not a timer: nothing here waits.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Answers the seconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The machine's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        // A clock before 1970 counts as 1970: every token is then "not yet valid", which is the safe side.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    })
}
