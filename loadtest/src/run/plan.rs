//! What a scenario needs of this machine, and how many workers run it.

use anyhow::bail;

use crate::{
    preflight::{self, Need},
    scenario::{Calls, FaultAction, Model, Scenario, highest_rate},
};

/// How a run is made on this machine.
pub(super) struct Plan {
    pub(super) workers: usize,
    /// The most connections that are expected at once.
    pub(super) connections: usize,
    /// Whether they come from many source addresses.
    pub(super) spread: bool,
}

/// Checks whether this machine can make the load.
///
/// # Errors
/// With all problems, each with its fix.
pub(super) fn plan(scenario: &Scenario) -> anyhow::Result<Plan> {
    let connections = connections(scenario);
    let urls = &scenario.target.urls;
    let nodes = if urls.is_empty() {
        scenario.cluster.nodes
    } else {
        0
    };
    let is_local = |url: &String| url.contains("://127.") || url.contains("://localhost");
    let need = Need {
        connections,
        churn_per_second: churn(scenario),
        workers: workers(scenario),
        destinations: urls.len().max(nodes),
        loopback: urls.iter().all(is_local),
        nodes,
        nodes_down: usize::from(
            scenario
                .faults
                .iter()
                .any(|fault| takes_a_node_down(fault.action)),
        ),
    };
    let found = preflight::check(&need);
    if !found.problems.is_empty() {
        bail!(
            "this machine cannot make the load:\n  - {}",
            found.problems.join("\n  - ")
        );
    }
    Ok(Plan {
        workers: found.workers,
        connections,
        spread: found.spread,
    })
}

/// The workers that the scenario asks for; 0: as many as needed. Who is in a room is compared inside of one process.
fn workers(scenario: &Scenario) -> usize {
    let generator = &scenario.generator;
    let least = usize::from(scenario.rooms.is_some()).max(generator.agents.len());
    generator.workers.max(least)
}

const fn takes_a_node_down(action: FaultAction) -> bool {
    match action {
        FaultAction::Kill | FaultAction::Freeze | FaultAction::Drain | FaultAction::Roll => true,
        FaultAction::Start
        | FaultAction::Thaw
        | FaultAction::Undrain
        | FaultAction::RedisFailover
        | FaultAction::RedisReshard
        | FaultAction::RedisPause
        | FaultAction::Run => false,
    }
}

/// How long a call lasts if nothing is wrong, in seconds.
fn call_s(calls: &Calls) -> f64 {
    let candidates = calls.candidate_gap.get().as_secs_f64() * f64::from(calls.candidates);
    calls.talk.get().as_secs_f64() + candidates + 0.5
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a checked scenario's rates are far below"
)]
fn connections(scenario: &Scenario) -> usize {
    let calls = scenario.calls.as_ref().map_or(0, |calls| match calls.model {
        // Twice the expected number, for bursts, but never more than the limit.
        Model::Open => {
            ((highest_rate(&calls.stages) * call_s(calls) * 2.0) as usize).min(calls.max_at_once) * 2
        }
        Model::Closed => highest_rate(&calls.stages).ceil() as usize * 2,
    });
    let streams = scenario.streams.as_ref().map_or(0, |streams| streams.pairs * 2);
    let idle = scenario.idle.as_ref().map_or(0, |idle| idle.connections);
    let rooms = scenario.rooms.as_ref().map_or(0, |rooms| rooms.peers);
    calls + streams + idle + rooms
}

/// Connects a second that close again.
fn churn(scenario: &Scenario) -> f64 {
    let calls = scenario.calls.as_ref().map_or(0.0, |calls| match calls.model {
        Model::Open => highest_rate(&calls.stages) * 2.0,
        Model::Closed => highest_rate(&calls.stages) * 2.0 / call_s(calls),
    });
    calls
        + scenario
            .abuse
            .as_ref()
            .map_or(0.0, |abuse| highest_rate(&abuse.stages))
}
