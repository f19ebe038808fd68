//! Whether a scenario makes sense, before anything is started: all problems at once, each with its key and the
//! fix. Whether this machine can hold it is for `preflight`.

mod faults;
mod load;

use super::{Scenario, Span, Target};
use crate::thresholds::Threshold;

/// The longest any one time in a scenario may be.
const MAX_TIME: Span = Span::from_secs(24 * 60 * 60);
/// Connections, over all populations.
const MAX_CONNECTIONS: usize = 1_000_000;
/// Bytes of an offer or a payload.
const MAX_BYTES: usize = 1 << 20;
/// Starts a second.
pub(crate) const MAX_RATE: f64 = 1_000_000.0;
/// Nodes that are started for a run.
const MAX_NODES: usize = 64;
/// Worker processes, or agents.
const MAX_WORKERS: usize = 1_000;
/// Repeats of a run.
const MAX_REPEATS: u32 = 100;
/// Letters of a name.
const MAX_NAME: usize = 64;

/// Checks all of it.
///
/// # Errors
/// Every problem, a line each, such as `calls.stages: empty; say for example [{ rate = 20, for = "10s" }]`.
pub(crate) fn check(scenario: &Scenario) -> Result<(), Vec<String>> {
    let mut problems = Problems(Vec::new());
    head(scenario, &mut problems);
    target(scenario, &mut problems);
    generator(scenario, &mut problems);
    load::check(scenario, &mut problems);
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

/// What was found so far.
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, key: &str, problem: &str) {
        self.0.push(format!("{key}: {problem}"));
    }

    /// `problem` unless `is_fine`.
    fn unless(&mut self, is_fine: bool, key: &str, problem: &str) {
        if !is_fine {
            self.add(key, problem);
        }
    }

    /// A time that may be zero.
    fn time(&mut self, key: &str, span: Span) {
        self.unless(
            span <= MAX_TIME,
            key,
            &format!("{span} is too long; at most {MAX_TIME}"),
        );
    }

    /// A time that must not be zero.
    fn time_above_zero(&mut self, key: &str, span: Span) {
        self.unless(!span.get().is_zero(), key, "is zero; say for example 10s");
        self.time(key, span);
    }

    /// A share of a whole.
    fn share(&mut self, key: &str, share: f64) {
        self.unless(
            (0.0..=1.0).contains(&share),
            key,
            &format!("{share} is no share; say 0 to 1"),
        );
    }

    /// A whole number between two.
    fn within(&mut self, key: &str, value: usize, least: usize, most: usize) {
        self.unless(
            (least..=most).contains(&value),
            key,
            &format!("{value} is out of range; say {least} to {most}"),
        );
    }
}

fn head(scenario: &Scenario, problems: &mut Problems) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = &scenario.name;
    problems.unless(
        (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('.'),
        "name",
        &format!("`{name}` is no file name; use up to {MAX_NAME} letters, digits, `-`, `_` and `.`"),
    );
    problems.unless(
        (1..=MAX_REPEATS).contains(&scenario.repeats),
        "repeats",
        &format!("{} is out of range; say 1 to {MAX_REPEATS}", scenario.repeats),
    );
    problems.time("settle", scenario.settle);
}

fn target(scenario: &Scenario, problems: &mut Problems) {
    let Target {
        urls,
        ops_urls,
        secret_file,
        key_file,
        key_id,
        ..
    } = &scenario.target;
    for (number, url) in urls.iter().enumerate() {
        problems.unless(
            url.contains("://"),
            &format!("target.urls.{number}"),
            &format!("`{url}` is no address; say for example ws://127.0.0.1:8080/v1/ws"),
        );
    }
    problems.unless(
        ops_urls.is_empty() || ops_urls.len() == urls.len(),
        "target.ops_urls",
        "must be as many as target.urls, in the same order, or none",
    );
    problems.unless(
        secret_file.is_none() || key_file.is_none(),
        "target.key_file",
        "target.secret_file is given too; leave one of them out",
    );
    problems.unless(
        key_id.is_none() || key_file.is_some(),
        "target.key_id",
        "is the name of a key that is not given; add target.key_file",
    );
    if urls.is_empty() {
        problems.within("cluster.nodes", scenario.cluster.nodes, 1, MAX_NODES);
    }
    if let Err(error) = scenario.cluster.config.parse::<toml::Table>() {
        problems.add("cluster.config", &format!("is no TOML: {}", error.message()));
    }
}

fn generator(scenario: &Scenario, problems: &mut Problems) {
    let generator = &scenario.generator;
    problems.within("generator.workers", generator.workers, 0, MAX_WORKERS);
    problems.within("generator.agents", generator.agents.len(), 0, MAX_WORKERS);
    for (number, agent) in generator.agents.iter().enumerate() {
        let has_port = agent
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        problems.unless(
            has_port,
            &format!("generator.agents.{number}"),
            &format!("`{agent}` is no address; say host:port"),
        );
    }
    problems.time_above_zero("generator.most_slip", generator.most_slip);
    problems.share("generator.most_dropped", generator.most_dropped);
}

/// Nodes that there are to choose from.
fn nodes(scenario: &Scenario) -> usize {
    match scenario.target.urls.len() {
        0 => scenario.cluster.nodes,
        named => named,
    }
}

#[cfg(test)]
mod tests;
