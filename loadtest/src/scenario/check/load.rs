//! The populations of a scenario, checked.

use std::time::Duration;

use super::problems::{MAX_BYTES, MAX_CONNECTIONS, MAX_RATE, Problems, nodes, require};
use crate::scenario::{Abuse, Calls, Idle, Model, Placement, Scenario, Span, Stage, Streams};

/// Candidates that a side sends, or renegotiations.
const MAX_ROUNDS: usize = 1_000;

pub(super) fn check(scenario: &Scenario, problems: &mut Problems) {
    let Scenario {
        calls,
        streams,
        idle,
        rooms,
        abuse,
        ..
    } = scenario;
    if let Some(calls) = calls {
        self::calls(calls, problems);
        placement("calls", calls.placement, scenario, problems);
    }
    if let Some(streams) = streams {
        self::streams(streams, problems);
        placement("streams", streams.placement, scenario, problems);
    }
    if let Some(idle) = idle {
        self::idle(idle, problems);
    }
    if let Some(Abuse { stages, .. }) = abuse {
        self::stages("abuse", stages, problems);
    }
    let has_pairs = calls.is_some() || streams.is_some();
    let is_empty = !has_pairs && idle.is_none() && rooms.is_none() && abuse.is_none();
    require!(problems, !is_empty => "scenario", "nothing is in it; add [calls], [streams], [idle], [rooms] or [abuse]");
    let pairs = streams.as_ref().map_or(0, |streams| streams.pairs);
    let idle = idle.as_ref().map_or(0, |idle| idle.connections);
    let rooms = rooms.as_ref().map_or(0, |rooms| rooms.peers);
    let connections = pairs.saturating_mul(2).saturating_add(idle).saturating_add(rooms);
    require!(
        problems, connections <= MAX_CONNECTIONS => "scenario",
        "more than {MAX_CONNECTIONS} connections; lower idle.connections, streams.pairs or rooms.peers"
    );
}

fn calls(calls: &Calls, problems: &mut Problems) {
    stages("calls", &calls.stages, problems);
    let [min, max] = calls.offer_bytes;
    require!(
        problems, 1 <= min && min <= max && max <= MAX_BYTES => "calls.offer_bytes",
        "[{min}, {max}] is no range; say smallest and largest, 1 to {MAX_BYTES}"
    );
    // A call counts as set up with the first candidate of each side.
    problems.within("calls.candidates", calls.candidates as usize, 1, MAX_ROUNDS);
    problems.within(
        "calls.renegotiations",
        calls.renegotiations as usize,
        0,
        MAX_ROUNDS,
    );
    problems.time("calls.candidate_gap", calls.candidate_gap);
    problems.time("calls.talk", calls.talk);
    problems.time_above_zero("calls.deadline", calls.deadline);
    problems.within("calls.max_at_once", calls.max_at_once, 1, MAX_CONNECTIONS / 2);
}

fn streams(streams: &Streams, problems: &mut Problems) {
    stages("streams", &streams.stages, problems);
    problems.within("streams.pairs", streams.pairs, 1, MAX_CONNECTIONS / 2);
    problems.within("streams.payload_bytes", streams.payload_bytes, 1, MAX_BYTES);
    let has_ends = streams.model == Model::Open || streams.outcomes;
    require!(problems, has_ends => "streams.model", "closed waits for outcomes; say open, or leave streams.outcomes out");
    if let Some(slow) = &streams.slow {
        problems.share("streams.slow.share", slow.share);
        problems.time_above_zero("streams.slow.pause", slow.pause);
        problems.time("streams.slow.reads", slow.reads);
    }
}

fn idle(idle: &Idle, problems: &mut Problems) {
    problems.within("idle.connections", idle.connections, 1, MAX_CONNECTIONS);
    problems.within("idle.connects_at_once", idle.connects_at_once, 1, MAX_CONNECTIONS);
    let rate = idle.ramp_per_second;
    let is_rate = rate > 0.0 && rate <= MAX_RATE;
    require!(problems, is_rate => "idle.ramp_per_second", "{rate} is no rate; say for example 500");
    problems.time_above_zero("idle.hold", idle.hold);
    problems.time("idle.storm_spread", idle.storm_spread);
    if let Some(at) = idle.storm_at {
        let hold = idle.hold;
        require!(
            problems, at < hold => "idle.storm_at",
            "{at} is after the peers have left; make idle.hold ({hold}) longer"
        );
    }
}

fn placement(key: &str, placement: Placement, scenario: &Scenario, problems: &mut Problems) {
    require!(
        problems, placement != Placement::CrossNode || nodes(scenario) >= 2 => "{key}.placement",
        "cross-node needs two nodes; raise cluster.nodes, name two target.urls, or say random"
    );
}

pub(super) fn stages(key: &str, stages: &[Stage], problems: &mut Problems) {
    let is_empty = stages.is_empty();
    require!(problems, !is_empty => "{key}.stages", "empty; say for example [{{ rate = 20, for = \"10s\" }}]");
    let mut total = Duration::ZERO;
    for (number, stage) in stages.iter().enumerate() {
        let is_rate = |rate: f64| (0.0..=MAX_RATE).contains(&rate);
        let (from, to) = (stage.rate, stage.to.unwrap_or(stage.rate));
        // A ramp may begin or end at zero.
        require!(
            problems, is_rate(from) && is_rate(to) && from.max(to) > 0.0 => "{key}.stages.{number}.rate",
            "{from} to {to} is no rate; say above 0 and at most {MAX_RATE}"
        );
        problems.time_above_zero(&format!("{key}.stages.{number}.for"), stage.lasts);
        total = total.saturating_add(stage.lasts.get());
    }
    let total = u64::try_from(total.as_millis()).unwrap_or(u64::MAX);
    problems.time(&format!("{key}.stages"), Span::from_millis(total));
}
