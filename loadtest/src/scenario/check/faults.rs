//! The faults of a scenario, checked: each must be possible where it is to strike, and come before the end.

use std::time::Duration;

use super::{Problems, nodes};
use crate::scenario::{Fault, FaultAction, Scenario, Stage};

/// Faults of one scenario.
const MAX_FAULTS: usize = 1_000;

/// The server that is no node.
const REDIS: &str = "redis";

pub(super) fn check(scenario: &Scenario, problems: &mut Problems) {
    problems.within("faults", scenario.faults.len(), 0, MAX_FAULTS);
    let end = load(scenario);
    for (number, fault) in scenario.faults.iter().enumerate() {
        let key = format!("faults.{number}");
        problems.unless(
            fault.at.get() < end,
            &format!("{key}.at"),
            &format!(
                "{} is after the end of the load; strike sooner or load longer",
                fault.at
            ),
        );
        problems.unless(
            fault.command.is_empty() || fault.action == FaultAction::Run,
            &format!("{key}.command"),
            "only `do = \"run\"` has a command; leave it out",
        );
        if let Some(lasts) = fault.lasts {
            problems.unless(
                matches!(fault.action, FaultAction::Freeze | FaultAction::Kill),
                &format!("{key}.for"),
                "only freeze and kill end by themselves; leave it out",
            );
            problems.time_above_zero(&format!("{key}.for"), lasts);
        }
        server(&key, fault, scenario, problems);
    }
}

fn server(key: &str, fault: &Fault, scenario: &Scenario, problems: &mut Problems) {
    let is_ours = scenario.target.urls.is_empty();
    let (needs_server, needs_ours, redis_too) = match fault.action {
        FaultAction::Run => {
            problems.unless(
                !fault.command.is_empty(),
                &format!("{key}.command"),
                "run has nothing to run; say for example [\"true\"]",
            );
            problems.unless(
                fault.server.is_none(),
                &format!("{key}.server"),
                "run is done to no server; leave it out",
            );
            return;
        }
        FaultAction::Roll => (false, true, false),
        FaultAction::Kill | FaultAction::Start | FaultAction::Freeze | FaultAction::Thaw => {
            (true, true, true)
        }
        FaultAction::Drain | FaultAction::Undrain => {
            problems.unless(
                is_ours || !scenario.target.ops_urls.is_empty(),
                &format!("{key}.do"),
                "draining needs the nodes' ops addresses; add target.ops_urls",
            );
            (true, false, false)
        }
    };
    problems.unless(
        is_ours || !needs_ours,
        &format!("{key}.do"),
        "is only possible in a cluster that is started for the run; leave target.urls out, or use run or drain",
    );
    let key = format!("{key}.server");
    let Some(name) = &fault.server else {
        problems.unless(!needs_server, &key, "is missing; say for example n1");
        return;
    };
    let count = nodes(scenario);
    let is_node = (1..=count).any(|number| *name == format!("n{number}"));
    let is_redis = name == REDIS && redis_too;
    let also = if redis_too { " or redis" } else { "" };
    problems.unless(
        is_node || is_redis,
        &key,
        &format!("there is no `{name}` for that; say n1 to n{count}{also}"),
    );
}

/// How long the load lasts: as long as the longest population.
fn load(scenario: &Scenario) -> Duration {
    let stages = |stages: &[Stage]| {
        stages
            .iter()
            .fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.lasts.get()))
    };
    let Scenario {
        calls,
        streams,
        idle,
        abuse,
        ..
    } = scenario;
    [
        calls.as_ref().map(|calls| stages(&calls.stages)),
        streams.as_ref().map(|streams| stages(&streams.stages)),
        abuse.as_ref().map(|abuse| stages(&abuse.stages)),
        idle.as_ref().map(|idle| idle.hold.get()),
    ]
    .into_iter()
    .flatten()
    .max()
    .unwrap_or_default()
}
