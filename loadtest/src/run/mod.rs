//! A scenario from beginning to end: its repeats, each with its own servers unless the scenario names some, and the
//! document of results. One repeat is in `iteration`, its verdict in `verdict`.

mod iteration;
mod options;
mod plan;
mod screen;
mod verdict;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    live::Live,
    observe,
    results::{Results, SCHEMA},
    scenario::Scenario,
};

pub(crate) use options::{Invalid, Options};
pub(crate) use verdict::{EXIT_INVALID, EXIT_ORACLE, EXIT_THRESHOLD, worst};

/// Runs all repeats of a scenario. After `options.stop` the results end with the part that was measured.
///
/// # Errors
/// When the scenario makes no sense, this machine cannot make the load, servers do not come up or do not accept the
/// tokens, or the user stopped before anything was measured. Faults of servers under load are no errors; they are in the
/// verdicts.
pub(crate) async fn run(scenario: &Scenario, options: &Options, live: &mut Live) -> anyhow::Result<Results> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut runs = Vec::new();
    let mut versions = std::collections::BTreeMap::new();
    for repeat in 0..scenario.repeats {
        let Some(iteration) = iteration::run(scenario, options, repeat, live).await? else {
            break;
        };
        versions.extend(iteration.versions);
        runs.push(iteration.result);
        if options.stop.is_cancelled() {
            break;
        }
    }
    anyhow::ensure!(
        !runs.is_empty(),
        "stopped by the user before the load began; nothing is written"
    );
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
