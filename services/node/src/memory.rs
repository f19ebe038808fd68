//! How much memory the node uses, and how much it may use. What follows is decided in `core`.

use std::{path::Path, time::Duration};

use switchboard_core::Router;
use switchboard_telemetry::{Telemetry, resident_bytes};

/// How often the memory is measured.
const EVERY: Duration = Duration::from_secs(1);

/// Where the kernel says the limit of this process' cgroup: version 2, then version 1.
const CGROUP_FILES: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// A limit above this is no limit: version 1 says "none" with a number of this size.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// The budget of a node: `configured`, or four fifths of its cgroup's limit; 0: none.
pub(crate) fn budget(configured: u64) -> u64 {
    if configured > 0 {
        return configured;
    }
    let read = |file: &&str| std::fs::read_to_string(Path::new(file)).ok();
    let limit = CGROUP_FILES.iter().find_map(read).and_then(|text| limit(&text));
    limit.map_or(0, |bytes| bytes / 5 * 4)
}

fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT_BYTES)
}

/// Measures the memory once a second. Never completes.
pub(crate) async fn watch(router: &Router, telemetry: &Telemetry) {
    telemetry.memory_limit(router.limits().memory_bytes);
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Some(bytes) = resident_bytes() {
            router.observe_memory(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_budget_counts_and_otherwise_the_limit_of_the_cgroup() {
        assert_eq!(budget(7), 7);
        assert_eq!(limit("1073741824\n"), Some(1 << 30));
        assert_eq!(
            (limit("max\n"), limit("9223372036854771712\n"), limit("")),
            (None, None, None)
        );
    }
}
