//! How long to wait for workers before a run is given up. Generous: these only end workers that hang.

use std::time::Duration;

use crate::scenario::{Scenario, length_of};

/// What is added to every wait.
const GRACE: Duration = Duration::from_secs(60);

/// Connects a second that even a slow server lets in.
const SLOW_CONNECTS_PER_SECOND: f64 = 50.0;

/// Closes a second that even a slow machine makes.
const SLOW_CLOSES_PER_SECOND: f64 = 500.0;

/// From `Prepare` until all are ready: twice the ramp, and time for all pairs to connect.
pub(super) fn prepare(scenario: &Scenario) -> Duration {
    let idle = scenario.idle.as_ref().map_or(0.0, |idle| {
        2.0 * idle.connections as f64 / idle.ramp_per_second.max(1.0)
    });
    let streams = scenario.streams.as_ref().map_or(0.0, |streams| {
        2.0 * streams.pairs as f64 / SLOW_CONNECTS_PER_SECOND
    });
    GRACE + seconds(idle + streams)
}

/// From the start of the load until all have ended: the longest population, its last call, the settling.
pub(super) fn load(scenario: &Scenario) -> Duration {
    let calls = scenario.calls.as_ref().map_or(Duration::ZERO, |calls| {
        // Rounds and candidates take time of the talk, but a slow server may stretch each.
        let last = calls.talk.get() + calls.deadline.get() * (2 + calls.renegotiations);
        length_of(&calls.stages) + last + calls.candidate_gap.get() * calls.candidates.saturating_mul(10)
    });
    let faults = scenario
        .faults
        .iter()
        .map(|fault| fault.at.get() + fault.lasts.map_or(Duration::ZERO, |lasts| lasts.get()));
    let longest = faults.chain([calls, scenario.length()]).max().unwrap_or_default();
    longest + scenario.settle.get() * 2 + GRACE
}

/// From `Finish` until all are done.
pub(super) fn finish(scenario: &Scenario) -> Duration {
    let idle = scenario.idle.as_ref().map_or(0, |idle| idle.connections);
    let streams = scenario.streams.as_ref().map_or(0, |streams| 2 * streams.pairs);
    GRACE + seconds((idle + streams) as f64 / SLOW_CLOSES_PER_SECOND)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_scenario() {
        let text = "name = \"a\"\nsettle = \"5s\"\n[idle]\nconnections = 10000\nramp_per_second = 100\nhold = \"2m\"\n";
        let scenario: Scenario = toml::from_str(text).unwrap();
        assert_eq!(prepare(&scenario), GRACE + Duration::from_secs(200));
        assert_eq!(load(&scenario), GRACE + Duration::from_secs(130));
        assert_eq!(finish(&scenario), GRACE + Duration::from_secs(20));
    }
}
