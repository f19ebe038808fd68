//! How long to wait for workers before a run is given up. Generous: these only end workers that hang.

use std::time::Duration;

use super::listener::Milestone;
use crate::scenario::{Scenario, length_of};

/// Added to every wait.
const GRACE: Duration = Duration::from_secs(60);

/// Connects a second that even a slow server accepts.
const SLOW_CONNECTS_PER_SECOND: f64 = 50.0;

/// Closes a second that even a slow machine makes.
const SLOW_CLOSES_PER_SECOND: f64 = 500.0;

/// How long all workers may take from the order until they are there.
pub(super) fn deadline(scenario: &Scenario, awaited: Milestone) -> Duration {
    let Scenario { idle, streams, .. } = scenario;
    let pairs = streams.as_ref().map_or(0, |streams| streams.pairs) as f64;
    let connections = idle.as_ref().map_or(0, |idle| idle.connections) as f64;
    let ramp = connections / idle.as_ref().map_or(1.0, |idle| idle.ramp_per_second.max(1.0));
    GRACE
        + match awaited {
            Milestone::Ready => seconds(2.0 * (ramp + pairs / SLOW_CONNECTS_PER_SECOND)),
            Milestone::Ended => load(scenario),
            Milestone::Done => seconds((connections + 2.0 * pairs) / SLOW_CLOSES_PER_SECOND),
        }
}

/// The longest population, its last call, the last fault, and the settling.
fn load(scenario: &Scenario) -> Duration {
    let calls = scenario.calls.as_ref().map_or(Duration::ZERO, |calls| {
        // Renegotiations and candidates take time of the talk, but a slow server may stretch each.
        let last = calls.talk.get() + calls.deadline.get() * (2 + calls.renegotiations);
        length_of(&calls.stages) + last + calls.candidate_gap.get() * calls.candidates.saturating_mul(10)
    });
    let faults = scenario.faults.iter();
    let faults = faults.map(|fault| fault.at.get() + fault.lasts.map_or(Duration::ZERO, |lasts| lasts.get()));
    let longest = faults.chain([calls, scenario.length()]).max();
    longest.unwrap_or_default() + scenario.settle.get() * 2
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
        for (awaited, wait_s) in [
            (Milestone::Ready, 200),
            (Milestone::Ended, 130),
            (Milestone::Done, 20),
        ] {
            assert_eq!(deadline(&scenario, awaited), GRACE + Duration::from_secs(wait_s));
        }
    }
}
