//! Whether a scenario makes sense, before anything is started: all problems at once, each with its key and the
//! fix. `preflight` checks whether this machine can run it.

mod faults;
mod load;
pub(super) mod problems;
mod rooms;

use switchboard_harness::RedisLayout;

use super::{DriverKind, Scenario, Target, overrides::load_all};
use crate::thresholds::Threshold;
use problems::{Problems, require};

/// Nodes that are started for a run.
const MAX_NODES: usize = 64;
/// Worker processes, or agents.
const MAX_WORKERS: usize = 1_000;
/// Repeats of a run.
const MAX_REPEATS: usize = 100;
/// Characters of a name.
const MAX_NAME: usize = 64;

/// Checks all of it.
///
/// # Errors
/// Every problem, a line each, for example `calls.stages: empty; say for example [{ rate = 20, for = "10s" }]`.
pub(crate) fn check(scenario: &Scenario) -> Result<(), Vec<String>> {
    let mut problems = Problems(Vec::new());
    general(scenario, &mut problems);
    target(scenario, &mut problems);
    generator(scenario, &mut problems);
    load::check(scenario, &mut problems);
    rooms::check(scenario, &mut problems);
    faults::check(scenario, &mut problems);
    for (number, text) in scenario.thresholds.iter().enumerate() {
        if let Err(error) = text.parse::<Threshold>() {
            problems.add(&format!("thresholds.{number}"), &error);
        }
    }
    if problems.0.is_empty() {
        Ok(())
    } else {
        Err(problems.0)
    }
}

/// Reads a scenario, changes it by the options of the command line, and checks it.
///
/// # Errors
/// All mistakes and problems at once.
pub(crate) fn load_and_check(
    text: &str,
    overrides: &[String],
    change: impl FnOnce(&mut Scenario),
) -> Result<Scenario, Vec<String>> {
    let (scenario, mut problems, left_out) = load_all(text, overrides);
    let Some(mut scenario) = scenario else {
        return Err(problems);
    };
    change(&mut scenario);
    let found = check(&scenario).err().unwrap_or_default();
    // These compare several sections, and a mistake may be in one that was left out.
    let compares = |problem: &String| {
        ["scenario:", "faults.", "calls.placement:", "streams.placement:"]
            .iter()
            .any(|key| problem.starts_with(key))
    };
    // The items of an array have other numbers once one is left out.
    let is_renumbered = |problem: &String| {
        let after = |key: &String| problem.strip_prefix(key)?.strip_prefix('.')?.chars().next();
        left_out
            .iter()
            .filter_map(after)
            .any(|first| first.is_ascii_digit())
    };
    let is_whole = problems.is_empty();
    problems.extend(
        found
            .into_iter()
            .filter(|problem| is_whole || !(compares(problem) || is_renumbered(problem))),
    );
    if problems.is_empty() {
        Ok(scenario)
    } else {
        Err(problems)
    }
}

fn general(scenario: &Scenario, problems: &mut Problems) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = &scenario.name;
    let is_file_name =
        (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('.');
    require!(
        problems, is_file_name => "name",
        "`{name}` is no file name; use up to {MAX_NAME} ASCII letters, digits, `-`, `_` and `.`"
    );
    problems.within("repeats", scenario.repeats as usize, 1, MAX_REPEATS);
    problems.time("settle", scenario.settle);
}

fn target(scenario: &Scenario, problems: &mut Problems) {
    let Target {
        driver,
        urls,
        ops_urls,
        secret_file,
        key_file,
        key_id,
        audience: _,
        ca_file: _,
    } = &scenario.target;
    for (number, url) in urls.iter().enumerate() {
        let is_url = url.contains("://");
        require!(
            problems, is_url => "target.urls.{number}",
            "`{url}` is no address; say for example ws://127.0.0.1:8080/v1/ws"
        );
    }
    let has_all = ops_urls.is_empty() || ops_urls.len() == urls.len();
    require!(problems, has_all => "target.ops_urls", "must be as many as target.urls, in the same order, or none");
    let has_one_key = secret_file.is_none() || key_file.is_none();
    require!(problems, has_one_key => "target.key_file", "target.secret_file is given too; leave one of them out");
    let needs_key =
        *driver == DriverKind::Switchboard && !urls.is_empty() && scenario.generator.agents.is_empty();
    require!(
        problems, !needs_key || secret_file.is_some() || key_file.is_some() => "target.secret_file",
        "is missing; give --secret-file with the HS256 secret that the servers trust, or --key-file with a private key"
    );
    let names_key = key_id.is_none() || key_file.is_some();
    require!(problems, names_key => "target.key_id", "is the name of a key that is not given; add target.key_file");
    if urls.is_empty() {
        problems.within("cluster.nodes", scenario.cluster.nodes, 1, MAX_NODES);
    }
    let is_switchboard = *driver == DriverKind::Switchboard && urls.is_empty();
    let is_usual = scenario.cluster.redis == RedisLayout::Standalone && !scenario.cluster.redis_tls;
    require!(
        problems, is_switchboard || is_usual => "cluster.redis",
        "only nodes of this project that are started for the run take other layouts and TLS; leave it out"
    );
    if let Err(error) = scenario.cluster.config.parse::<toml::Table>() {
        problems.add("cluster.config", &format!("is no TOML: {}", error.message()));
    }
}

fn generator(scenario: &Scenario, problems: &mut Problems) {
    let generator = &scenario.generator;
    problems.within("generator.workers", generator.workers, 0, MAX_WORKERS);
    problems.within("generator.agents", generator.agents.len(), 0, MAX_WORKERS);
    for (number, agent) in generator.agents.iter().enumerate() {
        let parts = agent.rsplit_once(':');
        let has_port = parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        require!(problems, has_port => "generator.agents.{number}", "`{agent}` is no address; say host:port");
    }
    problems.time_above_zero("generator.max_start_delay", generator.max_start_delay);
    problems.share("generator.max_dropped", generator.max_dropped);
}

#[cfg(test)]
mod tests;
