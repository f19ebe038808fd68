//! How the cluster healed, read from the timeline of connections. Pure: it only reads what others recorded.

use std::{collections::BTreeMap, time::Duration};

use super::DoneFault;
use crate::{
    record::Sample,
    results::{FaultResult, Second},
};

/// Points of a curve; a longer one is thinned.
const MAX_POINTS: usize = 600;

/// Before a fault there were as many connections as the fewest of this time, in milliseconds. Where calls come and go,
/// a single sample would make each of them a fault.
const BEFORE_MS: i64 = 1_000;

/// How long there must be as many connections as before until that counts as healed, in milliseconds.
const HOLDS_MS: i64 = 1_000;

/// How workers call the node of a connection whose server does not name its nodes.
const NAMELESS: &str = "?";

/// How the cluster healed after each fault, in their order of time. `samples` are those of all workers, summed, in
/// order; `seconds` are those of the load.
///
/// A fault's window ends with the next fault or the load; undoing a fault does not end it. *Detected* is the first
/// sample with fewer connections than before, or with a lost connection or a failed send. *Reconnected* is the first
/// sample after the first loss from which on there were as many as before for a second: 0 if none was lost, `None` if
/// that was not before the window ended.
pub(crate) fn heal(
    faults: &[DoneFault],
    samples: &[Sample],
    seconds: &[Second],
    load_end: Duration,
) -> Vec<FaultResult> {
    // Faults are reported when they are done, and some take long.
    let mut in_time: Vec<&DoneFault> = faults.iter().collect();
    in_time.sort_by_key(|fault| fault.at);
    let results = in_time.iter().map(|fault| {
        let later = faults
            .iter()
            .filter(|other| other.at > fault.at && !other.is_undo);
        let end = later.map(|other| other.at).fold(load_end, Duration::min);
        window(fault, samples, connected(seconds, end), ms(end))
    });
    results.collect()
}

fn window(fault: &DoneFault, samples: &[Sample], nodes: BTreeMap<String, u64>, end: i64) -> FaultResult {
    let at = ms(fault.at);
    let mut until = samples.iter().filter(|sample| sample.at_ms <= at);
    let recent = until.clone().filter(|sample| sample.at_ms >= at - BEFORE_MS);
    let before = recent.map(|sample| sample.connections).min();
    // Where samples are missing, the last one before.
    let before = before.or_else(|| until.next_back().map(|sample| sample.connections));
    let before = before.unwrap_or_default();
    // Without the sample at the very end: it may see the next fault, or peers that leave with the load.
    let after: Vec<&Sample> = samples
        .iter()
        .filter(|sample| (at + 1..end).contains(&sample.at_ms))
        .collect();
    let since = |sample: &Sample| (sample.at_ms - at) as f64 / 1e3;
    let lost = after.iter().position(|sample| sample.connections < before);
    let detected = after
        .iter()
        .find(|sample| sample.failures > 0 || sample.connections < before);
    let reconnected = match lost {
        None => Some(0.0),
        Some(lost) => (lost..after.len())
            .find(|index| holds(&after[*index..], before))
            .map(|index| since(after[index])),
    };
    FaultResult {
        at_s: fault.at.as_secs_f64(),
        what: fault.what.clone(),
        error: fault.error.clone(),
        connected_before: before,
        connected_min: after
            .iter()
            .map(|sample| sample.connections)
            .min()
            .unwrap_or(before),
        detected_s: detected.map(|sample| since(sample)),
        reconnected_s: reconnected,
        curve: curve(&after)
            .map(|sample| (since(sample), sample.connections))
            .collect(),
        imbalance: imbalance(&nodes),
    }
}

/// Whether there are at least so many connections for a second from the first sample on.
fn holds(after: &[&Sample], wanted: u64) -> bool {
    let Some(first) = after.first() else { return false };
    let mut held = after
        .iter()
        .take_while(|sample| sample.at_ms <= first.at_ms + HOLDS_MS);
    held.all(|sample| sample.connections >= wanted)
}

/// Not more than [`MAX_POINTS`]; of those that are merged the one with the fewest connections, to keep every dip.
fn curve<'a>(after: &[&'a Sample]) -> impl Iterator<Item = &'a Sample> {
    let merged = after.len().div_ceil(MAX_POINTS).max(1);
    after
        .chunks(merged)
        .filter_map(|some| some.iter().min_by_key(|sample| sample.connections).copied())
}

/// The connections by node at `end`. A node that had connections once and has none any more is in it with 0.
fn connected(seconds: &[Second], end: Duration) -> BTreeMap<String, u64> {
    let nodes = seconds.iter().flat_map(|second| second.connected.keys());
    let mut connected: BTreeMap<_, _> = nodes.map(|node| (node.clone(), 0)).collect();
    if let Some(last) = seconds.iter().rfind(|second| second.at_s <= end.as_secs_f64()) {
        connected.extend(last.connected.clone());
    }
    connected
}

/// The most loaded node over the mean.
fn imbalance(connected: &BTreeMap<String, u64>) -> Option<f64> {
    let nodes = connected.iter().filter(|(node, _)| *node != NAMELESS);
    let counts: Vec<f64> = nodes.map(|(_, count)| *count as f64).collect();
    let (max, sum) = (
        counts.iter().copied().reduce(f64::max)?,
        counts.iter().sum::<f64>(),
    );
    (sum > 0.0).then(|| max * counts.len() as f64 / sum)
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A timeline: `(from_ms, connections)` each until the next, to 20 s, ten samples a second.
    fn timeline(steps: &[(i64, u64)]) -> Vec<Sample> {
        let samples = (-20..200).map(|tenth| {
            let step = steps.iter().rfind(|(from, _)| *from <= tenth * 100);
            let connections = step.map_or(0, |(_, connections)| *connections);
            Sample {
                at_ms: tenth * 100,
                connections,
                failures: 0,
            }
        });
        samples.collect()
    }

    fn fault(at_ms: u64, what: &str) -> DoneFault {
        let (at, is_undo) = (Duration::from_millis(at_ms), what.contains("again"));
        DoneFault {
            at,
            what: what.to_owned(),
            error: None,
            is_undo,
        }
    }

    #[test]
    fn loss_detection_and_recovery_are_read_from_the_timeline() {
        // What; connections from that millisecond on; the end in seconds; the fewest; detected; reconnected.
        let table = "
            a dip | -5000 100, 5300 50, 6000 80, 7200 100 | 20 | 50 | Some(0.3) | Some(2.2)
            no loss | -5000 100 | 20 | 100 | None | Some(0.0)
            peers that leave with the load | -5000 100, 15000 0 | 15 | 100 | None | Some(0.0)
            never back | -5000 100, 5100 60 | 20 | 60 | Some(0.1) | None
            one lucky sample | -5000 100, 5100 60, 5500 100, 5700 90, 6400 101 | 20 | 60 | Some(0.1) | Some(1.4)
            no connections | -5000 0 | 4 | 0 | None | Some(0.0)";
        for line in table.trim().lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let steps = cells[1].split(", ").map(|step| step.split_once(' ').unwrap());
            let steps: Vec<_> = steps
                .map(|(at, count)| (at.parse().unwrap(), count.parse().unwrap()))
                .collect();
            let end = Duration::from_secs(cells[2].parse().unwrap());
            let result = &heal(&[fault(5_000, "kill n2")], &timeline(&steps), &[], end)[0];
            let times = [result.detected_s, result.reconnected_s].map(|time| format!("{time:?}"));
            assert_eq!(result.connected_min.to_string(), cells[3], "{line}");
            assert_eq!(times, cells[4..], "{line}");
        }
    }

    #[test]
    fn a_failed_send_is_detected_without_a_lost_connection_and_calls_that_come_and_go_are_no_fault() {
        let mut samples = timeline(&[(-5_000, 100)]);
        for (sample, wave) in samples.iter_mut().zip((0..5).cycle()) {
            sample.connections += wave;
            sample.failures = if sample.at_ms == 6_500 { 3 } else { 0 };
        }
        let result = &heal(
            &[fault(5_000, "freeze redis")],
            &samples,
            &[],
            Duration::from_secs(20),
        )[0];
        assert_eq!(
            (result.connected_before, result.detected_s, result.reconnected_s),
            (100, Some(1.5), Some(0.0))
        );
    }

    #[test]
    fn the_next_fault_ends_the_window_and_an_undo_does_not() {
        let samples = timeline(&[(-5_000, 100), (5_100, 60), (9_000, 100)]);
        let heal = |faults: &[DoneFault]| heal(faults, &samples, &[], Duration::from_secs(20));
        let results = heal(&[fault(5_000, "kill n1"), fault(8_000, "kill n2")]);
        assert_eq!(results[0].reconnected_s, None);
        // The second found 60 and lost none of them.
        assert_eq!(
            (results[1].connected_before, results[1].reconnected_s),
            (60, Some(0.0))
        );
        // Reported late, as a roll is, and still in its place.
        let results = heal(&[fault(8_000, "n1 started again"), fault(5_000, "kill n1")]);
        assert_eq!(
            (results[0].what.as_str(), results[0].reconnected_s),
            ("kill n1", Some(4.0))
        );
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_dips() {
        let connections = |number| if number == 7_777 { 1 } else { 100 };
        let samples: Vec<_> = (0..10_000)
            .map(|number| Sample {
                at_ms: number * 100,
                connections: connections(number),
                failures: 0,
            })
            .collect();
        let curve = &heal(&[fault(0, "kill n1")], &samples, &[], Duration::from_secs(1_000))[0].curve;
        assert!(curve.len() <= MAX_POINTS, "{}", curve.len());
        assert!(curve.iter().any(|(_, connections)| *connections == 1));
    }

    #[test]
    fn the_imbalance_is_that_at_the_end_of_each_window() {
        let second = |at_s, nodes: &[(&str, u64)]| Second {
            at_s,
            connected: nodes
                .iter()
                .map(|(node, count)| ((*node).to_owned(), *count))
                .collect(),
            ..Second::default()
        };
        let seconds = [
            second(1.0, &[("n1", 50), ("n2", 50)]),
            second(2.0, &[("n1", 100)]),
            second(3.0, &[("n1", 75), ("n2", 25)]),
        ];
        let faults = [fault(1_100, "kill n2"), fault(2_500, "kill n1")];
        let results = heal(&faults, &[], &seconds, Duration::from_secs(3));
        assert_eq!(
            (results[0].imbalance, results[1].imbalance),
            (Some(2.0), Some(1.5))
        );
    }
}
