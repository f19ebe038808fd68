//! A scenario from beginning to end: its repeats, each with servers of its own where none are named, and the
//! document that comes of it. One repeat is in `once`, its judgement in `verdict`.

mod ground;
mod need;
mod once;
mod screen;
mod verdict;

use std::time::{SystemTime, UNIX_EPOCH};

use switchboard_protocol::Secret;

use crate::{
    fleet::Program,
    live::Live,
    observe,
    results::{Results, SCHEMA},
    scenario::Scenario,
};

pub(crate) use verdict::{EXIT_INVALID, EXIT_ORACLE, EXIT_THRESHOLD, worst};

/// The load began and cannot be judged: a worker died, or a server was gone for good.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the run is invalid")]
pub(crate) struct Invalid;

/// What a run needs beside its scenario.
#[derive(Debug)]
pub(crate) struct Options {
    /// What a worker process runs.
    pub(crate) program: Program,
    /// What agents know too, where the scenario names some.
    pub(crate) agent_secret: Option<Secret>,
    /// Whether servers on other machines may be loaded.
    pub(crate) allow_remote: bool,
}

/// Runs a scenario as often as it wants to be.
///
/// # Errors
/// When the scenario makes no sense, this machine cannot make the load, servers do not come up, or somebody asked to
/// stop. What servers do wrong under load is no error but in the verdicts.
pub(crate) async fn run(scenario: &Scenario, options: &Options, live: &mut Live) -> anyhow::Result<Results> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut runs = Vec::new();
    let mut versions = std::collections::BTreeMap::new();
    for repeat in 0..scenario.repeats {
        let once = once::once(scenario, options, repeat, live).await?;
        versions.extend(once.versions);
        runs.push(once.result);
    }
    Ok(Results {
        schema: SCHEMA,
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        started_unix_ms: u64::try_from(started.as_millis())?,
        scenario: serde_json::to_value(scenario)?,
        environment: observe::environment(versions).await,
        runs,
    })
}
