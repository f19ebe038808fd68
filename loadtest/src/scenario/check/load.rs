//! The populations of a scenario, checked.

use super::{MAX_BYTES, MAX_CONNECTIONS, MAX_RATE, Problems, nodes};
use crate::scenario::{Abuse, Calls, Idle, Placement, Scenario, Span, Stage, Streams};

/// Candidates that a side sends, or renegotiations.
const MAX_ROUNDS: usize = 1_000;

pub(super) fn check(scenario: &Scenario, problems: &mut Problems) {
    let Scenario {
        calls,
        streams,
        idle,
        abuse,
        ..
    } = scenario;
    if let Some(calls) = calls {
        self::calls(calls, problems);
        placement("calls.placement", calls.placement, scenario, problems);
    }
    if let Some(streams) = streams {
        self::streams(streams, problems);
        placement("streams.placement", streams.placement, scenario, problems);
    }
    if let Some(idle) = idle {
        self::idle(idle, problems);
    }
    if let Some(Abuse { stages, .. }) = abuse {
        self::stages("abuse.stages", stages, problems);
    }
    problems.unless(
        calls.is_some() || streams.is_some() || idle.is_some() || abuse.is_some(),
        "scenario",
        "nobody is in it; add [calls], [streams], [idle] or [abuse]",
    );
    let lasting = [
        streams
            .as_ref()
            .map_or(0, |streams| streams.pairs.saturating_mul(2)),
        idle.as_ref().map_or(0, |idle| idle.connections),
    ];
    problems.unless(
        lasting
            .iter()
            .fold(0, |sum: usize, more| sum.saturating_add(*more))
            <= MAX_CONNECTIONS,
        "scenario",
        &format!("more than {MAX_CONNECTIONS} connections; lower idle.connections or streams.pairs"),
    );
}

fn calls(calls: &Calls, problems: &mut Problems) {
    stages("calls.stages", &calls.stages, problems);
    let [least, most] = calls.offer_bytes;
    problems.unless(
        least >= 1 && most <= MAX_BYTES && least <= most,
        "calls.offer_bytes",
        &format!("[{least}, {most}] is no range; say smallest and largest, 1 to {MAX_BYTES}"),
    );
    let candidates = usize::try_from(calls.candidates).unwrap_or(usize::MAX);
    // A call counts as set up with the first candidate of each side.
    problems.within("calls.candidates", candidates, 1, MAX_ROUNDS);
    let renegotiations = usize::try_from(calls.renegotiations).unwrap_or(usize::MAX);
    problems.within("calls.renegotiations", renegotiations, 0, MAX_ROUNDS);
    problems.time("calls.candidate_gap", calls.candidate_gap);
    problems.time("calls.talk", calls.talk);
    problems.time_above_zero("calls.deadline", calls.deadline);
    problems.within("calls.most_at_once", calls.most_at_once, 1, MAX_CONNECTIONS / 2);
}

fn streams(streams: &Streams, problems: &mut Problems) {
    stages("streams.stages", &streams.stages, problems);
    problems.within("streams.pairs", streams.pairs, 1, MAX_CONNECTIONS / 2);
    problems.within("streams.payload_bytes", streams.payload_bytes, 1, MAX_BYTES);
    if let Some(slow) = &streams.slow {
        problems.share("streams.slow.share", slow.share);
        problems.time_above_zero("streams.slow.pause", slow.pause);
        problems.time("streams.slow.reads", slow.reads);
    }
}

fn idle(idle: &Idle, problems: &mut Problems) {
    problems.within("idle.connections", idle.connections, 1, MAX_CONNECTIONS);
    problems.unless(
        idle.ramp_per_second > 0.0 && idle.ramp_per_second <= MAX_RATE,
        "idle.ramp_per_second",
        &format!("{} is no rate; say for example 500", idle.ramp_per_second),
    );
    problems.time_above_zero("idle.hold", idle.hold);
    problems.time("idle.storm_spread", idle.storm_spread);
    if let Some(at) = idle.storm_at {
        problems.unless(
            at < idle.hold,
            "idle.storm_at",
            &format!(
                "{at} is after the peers have left; make idle.hold ({}) longer",
                idle.hold
            ),
        );
    }
}

fn placement(key: &str, placement: Placement, scenario: &Scenario, problems: &mut Problems) {
    problems.unless(
        placement != Placement::CrossNode || nodes(scenario) >= 2,
        key,
        "cross-node needs two nodes; raise cluster.nodes, name two target.urls, or say random",
    );
}

fn stages(key: &str, stages: &[Stage], problems: &mut Problems) {
    problems.unless(
        !stages.is_empty(),
        key,
        "empty; say for example [{ rate = 20, for = \"10s\" }]",
    );
    let mut total = std::time::Duration::ZERO;
    for (number, stage) in stages.iter().enumerate() {
        let key = format!("{key}.{number}");
        let is_rate = |rate: f64| (0.0..=MAX_RATE).contains(&rate);
        let (from, to) = (stage.rate, stage.to.unwrap_or(stage.rate));
        // A ramp may begin or end at nothing.
        problems.unless(
            is_rate(from) && is_rate(to) && from.max(to) > 0.0,
            &format!("{key}.rate"),
            &format!("{from} to {to} is no rate; say above 0 and at most {MAX_RATE}"),
        );
        problems.time_above_zero(&format!("{key}.for"), stage.lasts);
        total = total.saturating_add(stage.lasts.get());
    }
    problems.time(
        key,
        Span::from_millis(u64::try_from(total.as_millis()).unwrap_or(u64::MAX)),
    );
}
