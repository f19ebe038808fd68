//! The faults of a scenario, checked: each must be possible for its server, and start before the end.

use super::problems::{Problems, nodes, require};
use crate::{
    cluster::REDIS,
    scenario::{Fault, FaultAction, Scenario},
};

/// Faults of one scenario.
const MAX_FAULTS: usize = 1_000;

pub(super) fn check(scenario: &Scenario, problems: &mut Problems) {
    problems.within("faults", scenario.faults.len(), 0, MAX_FAULTS);
    let end = scenario.length();
    for (number, fault) in scenario.faults.iter().enumerate() {
        let (key, at) = (format!("faults.{number}"), fault.at);
        let is_in_load = at.get() < end;
        require!(
            problems, is_in_load => "{key}.at",
            "{at} is after the end of the load; choose an earlier time or a longer load"
        );
        let may_have_command = fault.command.is_empty() || fault.action == FaultAction::Run;
        require!(problems, may_have_command => "{key}.command", "only `do = \"run\"` has a command; leave it out");
        if let Some(lasts) = fault.lasts {
            let may_last = matches!(fault.action, FaultAction::Freeze | FaultAction::Kill);
            require!(problems, may_last => "{key}.for", "only freeze and kill end by themselves; leave it out");
            problems.time_above_zero(&format!("{key}.for"), lasts);
        }
        server(&key, fault, scenario, problems);
    }
}

fn server(key: &str, fault: &Fault, scenario: &Scenario, problems: &mut Problems) {
    let is_ours = scenario.target.urls.is_empty();
    let (needs_server, needs_ours, may_be_redis) = match fault.action {
        FaultAction::Run => {
            let has_command = !fault.command.is_empty();
            require!(problems, has_command => "{key}.command", "run has nothing to run; say for example [\"true\"]");
            let has_server = fault.server.is_some();
            require!(problems, !has_server => "{key}.server", "run has no server; leave it out");
            return;
        }
        FaultAction::Roll => (false, true, false),
        FaultAction::Kill | FaultAction::Start | FaultAction::Freeze | FaultAction::Thaw => {
            (true, true, true)
        }
        FaultAction::Drain | FaultAction::Undrain => {
            let has_ops = is_ours || !scenario.target.ops_urls.is_empty();
            require!(problems, has_ops => "{key}.do", "draining needs the nodes' ops addresses; add target.ops_urls");
            (true, false, false)
        }
    };
    require!(
        problems, is_ours || !needs_ours => "{key}.do",
        "is only possible in a cluster that is started for the run; leave target.urls out, or use run or drain"
    );
    let Some(name) = &fault.server else {
        require!(problems, !needs_server => "{key}.server", "is missing; say for example n1");
        return;
    };
    let count = nodes(scenario);
    let is_node = (1..=count).any(|number| *name == format!("n{number}"));
    let is_redis = name == REDIS && may_be_redis;
    let also = if may_be_redis { " or redis" } else { "" };
    require!(
        problems, is_node || is_redis => "{key}.server",
        "there is no `{name}` for that; say n1 to n{count}{also}"
    );
}
