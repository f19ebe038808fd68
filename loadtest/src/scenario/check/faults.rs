//! The faults of a scenario, checked: each must be possible for its server, and start before the end.

use switchboard_harness::RedisLayout;

use super::problems::{Problems, nodes, require};
use crate::{
    cluster::REDIS,
    scenario::{Fault, FaultAction, Scenario},
};

/// Faults of one scenario.
const MAX_FAULTS: usize = 1_000;

/// Slots that one fault moves.
const MAX_SLOTS: usize = 5_000;

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
            let may_last = matches!(
                fault.action,
                FaultAction::Freeze | FaultAction::Kill | FaultAction::RedisPause
            );
            require!(problems, may_last => "{key}.for", "only freeze, kill and redis-pause end by themselves; leave it out");
            problems.time_above_zero(&format!("{key}.for"), lasts);
        }
        if let Some(possible) = of_redis(fault, scenario.cluster.redis) {
            redis(&key, fault, possible, scenario, problems);
        } else {
            server(&key, fault, scenario, problems);
        }
        let may_have_slots = fault.slots.is_none() || fault.action == FaultAction::RedisReshard;
        require!(problems, may_have_slots => "{key}.slots", "only redis-reshard moves slots; leave it out");
    }
}

/// Of an action on all servers of Redis, whether it is possible with this layout, and what makes it so.
const fn of_redis(fault: &Fault, layout: RedisLayout) -> Option<(bool, &'static str)> {
    let has_replica = matches!(
        layout,
        RedisLayout::Sentinel { .. } | RedisLayout::Cluster { replicas: 1.., .. }
    );
    let has_slots = matches!(layout, RedisLayout::Cluster { .. });
    match fault.action {
        FaultAction::RedisFailover => Some((has_replica, "cluster.redis = \"sentinel\" or \"cluster:3+3\"")),
        FaultAction::RedisReshard => Some((has_slots, "cluster.redis = \"cluster:3+3\"")),
        FaultAction::RedisPause => Some((fault.lasts.is_some(), "for = \"1s\"")),
        FaultAction::Kill
        | FaultAction::Start
        | FaultAction::Freeze
        | FaultAction::Thaw
        | FaultAction::Drain
        | FaultAction::Undrain
        | FaultAction::Roll
        | FaultAction::Run => None,
    }
}

fn redis(
    key: &str,
    fault: &Fault,
    (is_possible, fix): (bool, &str),
    scenario: &Scenario,
    problems: &mut Problems,
) {
    let is_ours = scenario.target.urls.is_empty();
    require!(
        problems, is_ours => "{key}.do",
        "is only possible with a Redis that is started for the run; leave target.urls out, or use run"
    );
    require!(problems, is_possible => "{key}.do", "is not possible as it stands; say {fix}");
    let has_server = fault.server.is_some();
    require!(problems, !has_server => "{key}.server", "is for all of Redis; leave it out");
    if let Some(slots) = fault.slots {
        problems.within(&format!("{key}.slots"), slots, 1, MAX_SLOTS);
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
        FaultAction::RedisFailover | FaultAction::RedisReshard | FaultAction::RedisPause => return,
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
    let layout = scenario.cluster.redis;
    let is_redis = may_be_redis && is_server_of(layout, name);
    let also = match (may_be_redis, layout) {
        (false, _) => String::new(),
        (true, RedisLayout::Standalone) => " or redis".to_owned(),
        (true, RedisLayout::Sentinel { .. }) => {
            format!(
                ", redis-1 to redis-{} or sentinel-1 to sentinel-3",
                layout.servers()
            )
        }
        (true, RedisLayout::Cluster { .. } | RedisLayout::Sharded { .. }) => {
            format!(" or redis-1 to redis-{}", layout.servers())
        }
    };
    require!(
        problems, is_node || is_redis => "{key}.server",
        "there is no `{name}` for that; say n1 to n{count}{also}"
    );
}

/// Whether Redis servers of this layout have one of this name.
fn is_server_of(layout: RedisLayout, name: &str) -> bool {
    let is_numbered =
        |prefix: &str, count: usize| (1..=count).any(|number| name == format!("{prefix}-{number}"));
    match layout {
        RedisLayout::Standalone => name == REDIS,
        RedisLayout::Sentinel { .. } => is_numbered(REDIS, layout.servers()) || is_numbered("sentinel", 3),
        RedisLayout::Cluster { .. } | RedisLayout::Sharded { .. } => is_numbered(REDIS, layout.servers()),
    }
}
