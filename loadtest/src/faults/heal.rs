//! How the cluster healed, read off the course of connections. Pure: it only looks at what others recorded.

use std::{collections::BTreeMap, time::Duration};

use super::Struck;
use crate::{
    record::Sample,
    results::{FaultResult, Second},
};

/// Points of a curve; a longer one is thinned.
const MOST_POINTS: usize = 600;

/// How far back it is looked for how many were connected before, in milliseconds. Where calls come and go, one look
/// alone would make each of them a fault.
const BEFORE_MS: i64 = 1_000;

/// How long there must be as many connections as before until that counts as healed, in milliseconds.
const HOLDS_MS: i64 = 1_000;

/// How workers call the node of a connection whose server does not name its nodes.
const NAMELESS: &str = "?";

/// What became of each of `struck`, in their order of time. `samples` are those of all workers, summed, in order;
/// `crowds` are the connections by node at the end of each fault's curve (see [`crowds`]), in the order of `struck`.
///
/// A fault's time ends with the next fault or the load; what undoes a fault ends it not, for healing goes on. Before
/// a fault there were the fewest connections of the second before it. *Detected* is the first look with fewer, or with
/// a lost connection or a failed send. *Reconnected* is the first look after the first loss from which on there were
/// as many as before for a second: 0 if none was lost, `None` if it was not before the fault's time was over.
pub(crate) fn heal(
    struck: &[Struck],
    samples: &[Sample],
    crowds: &[BTreeMap<String, u64>],
    load_end: Duration,
) -> Vec<FaultResult> {
    let results = in_time(struck).into_iter().map(|index| {
        let one = &struck[index];
        let (at, end) = (ms(one.at), end(struck, index, load_end));
        let before = samples
            .iter()
            .filter(|sample| (at - BEFORE_MS..=at).contains(&sample.at_ms));
        let before = before.map(|sample| sample.connections).min();
        // Looks rarer than expected: then the last one before.
        let last = || {
            samples
                .iter()
                .rfind(|sample| sample.at_ms <= at)
                .map(|sample| sample.connections)
        };
        let before = before.or_else(last).unwrap_or_default();
        // Not the look at the very end: it may see the next fault, or those who leave with the load.
        let after: Vec<_> = samples
            .iter()
            .filter(|sample| at < sample.at_ms && sample.at_ms < end)
            .collect();
        let seconds = |sample: &Sample| seconds(sample.at_ms - at);
        let detected = after
            .iter()
            .find(|sample| sample.failures > 0 || sample.connections < before);
        FaultResult {
            at_s: one.at.as_secs_f64(),
            what: one.what.clone(),
            error: one.error.clone(),
            connected_before: before,
            connected_min: after
                .iter()
                .map(|sample| sample.connections)
                .min()
                .unwrap_or(before),
            detected_s: detected.map(|sample| seconds(sample)),
            reconnected_s: reconnected(&after, before).map(|back| back.map_or(0.0, seconds)),
            curve: curve(&after)
                .into_iter()
                .map(|sample| (seconds(sample), sample.connections))
                .collect(),
            imbalance: crowds.get(index).and_then(imbalance),
        }
    });
    results.collect()
}

/// The connections by node at the end of each fault's time, from the seconds of the load; what `heal` wants. A node
/// that had connections once and has none any more is in it with 0.
pub(crate) fn crowds(
    struck: &[Struck],
    seconds: &[Second],
    load_end: Duration,
) -> Vec<BTreeMap<String, u64>> {
    let nodes: BTreeMap<_, _> = seconds
        .iter()
        .flat_map(|second| second.connected.keys())
        .map(|node| (node.clone(), 0))
        .collect();
    let ends = (0..struck.len()).map(|index| {
        let end_s = self::seconds(end(struck, index, load_end));
        let mut crowd = nodes.clone();
        if let Some(last) = seconds.iter().rfind(|second| second.at_s <= end_s) {
            crowd.extend(last.connected.clone());
        }
        crowd
    });
    ends.collect()
}

/// Their indices in order of time: faults are told when they are done, and some take long.
fn in_time(struck: &[Struck]) -> Vec<usize> {
    let mut order: Vec<_> = (0..struck.len()).collect();
    order.sort_by_key(|index| struck[*index].at);
    order
}

/// When the time of the fault at `index` is over, in milliseconds.
fn end(struck: &[Struck], index: usize, load_end: Duration) -> i64 {
    let at = struck[index].at;
    let later = struck.iter().filter(|other| other.at > at && !other.is_relief);
    ms(later.map(|other| other.at).fold(load_end, Duration::min))
}

/// The look from which on all were back; the inner `None` if nobody was lost.
#[expect(
    clippy::option_option,
    reason = "never back, never away, and back are three things"
)]
fn reconnected<'a>(after: &[&'a Sample], before: u64) -> Option<Option<&'a Sample>> {
    let Some(lost) = after.iter().position(|sample| sample.connections < before) else {
        return Some(None);
    };
    let is_back = |index: &usize| {
        let held = after[*index..]
            .iter()
            .take_while(|sample| sample.at_ms <= after[*index].at_ms + HOLDS_MS);
        held.into_iter().all(|sample| sample.connections >= before)
    };
    let back = (lost..after.len()).find(is_back)?;
    Some(Some(after[back]))
}

/// Not more than [`MOST_POINTS`]; of those that are merged the one with the fewest connections, so that no dip is lost.
fn curve<'a>(after: &[&'a Sample]) -> Vec<&'a Sample> {
    let merged = after.len().div_ceil(MOST_POINTS).max(1);
    let points = after.chunks(merged);
    points
        .filter_map(|some| some.iter().min_by_key(|sample| sample.connections).copied())
        .collect()
}

/// The most loaded node over the mean.
fn imbalance(crowd: &BTreeMap<String, u64>) -> Option<f64> {
    let nodes: Vec<_> = crowd
        .iter()
        .filter(|(node, _)| *node != NAMELESS)
        .map(|(_, count)| *count)
        .collect();
    let (most, sum) = (*nodes.iter().max()?, nodes.iter().sum::<u64>());
    (sum > 0).then(|| number(most) * number(u64::try_from(nodes.len()).unwrap_or(u64::MAX)) / number(sum))
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run stay far below 2^52"
)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "connections stay far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws a course: `(from_ms, connections)` each until the next, to 20 s, ten looks a second.
    fn course(steps: &[(i64, u64)]) -> Vec<Sample> {
        let looks = (-20..200).map(|tenth| {
            let at_ms = tenth * 100;
            let step = steps.iter().rfind(|(from, _)| *from <= at_ms);
            Sample {
                at_ms,
                connections: step.map_or(0, |(_, connections)| *connections),
                failures: 0,
            }
        });
        looks.collect()
    }

    fn struck(at_ms: u64, what: &str) -> Struck {
        Struck {
            at: Duration::from_millis(at_ms),
            what: what.to_owned(),
            error: None,
            is_relief: what.contains("again"),
        }
    }

    fn healed(struck: &[Struck], samples: &[Sample]) -> Vec<FaultResult> {
        heal(struck, samples, &[], Duration::from_secs(20))
    }

    #[test]
    fn a_dip_is_detected_and_healed() {
        let samples = course(&[(-5_000, 100), (5_300, 50), (6_000, 80), (7_200, 100)]);
        let result = &healed(&[struck(5_000, "kill n2")], &samples)[0];
        assert_eq!((result.connected_before, result.connected_min), (100, 50));
        assert_eq!((result.detected_s, result.reconnected_s), (Some(0.3), Some(2.2)));
        assert_eq!(result.curve.len(), 149);
        assert_eq!(result.curve[2], (0.3, 50));
    }

    #[test]
    fn a_fault_that_nobody_notices_took_no_time_to_heal() {
        let result = &healed(&[struck(5_000, "kill redis")], &course(&[(-5_000, 100)]))[0];
        assert_eq!((result.detected_s, result.reconnected_s), (None, Some(0.0)));
        assert_eq!(result.connected_min, 100);
    }

    #[test]
    fn a_failed_send_is_noticed_without_a_lost_connection() {
        let mut samples = course(&[(-5_000, 100)]);
        let look = samples.iter_mut().find(|sample| sample.at_ms == 6_500).unwrap();
        look.failures = 3;
        let result = &healed(&[struck(5_000, "freeze redis")], &samples)[0];
        assert_eq!((result.detected_s, result.reconnected_s), (Some(1.5), Some(0.0)));
    }

    #[test]
    fn what_is_not_back_before_the_next_fault_did_not_heal() {
        let samples = course(&[(-5_000, 100), (5_100, 60), (9_000, 100)]);
        let both = [struck(5_000, "kill n1"), struck(8_000, "kill n2")];
        let results = healed(&both, &samples);
        assert_eq!(results[0].reconnected_s, None);
        // The second found 60 and lost none of them.
        assert_eq!(
            (results[1].connected_before, results[1].reconnected_s),
            (60, Some(0.0))
        );
    }

    #[test]
    fn those_who_leave_with_the_load_are_not_lost() {
        let samples = course(&[(-5_000, 100), (15_000, 0)]);
        let load_end = Duration::from_secs(15);
        let result = &heal(&[struck(5_000, "kill n1")], &samples, &[], load_end)[0];
        assert_eq!((result.detected_s, result.reconnected_s), (None, Some(0.0)));
        assert_eq!(result.connected_min, 100);
    }

    #[test]
    fn a_restart_does_not_end_the_time_to_heal() {
        let samples = course(&[(-5_000, 100), (5_100, 60), (9_000, 100)]);
        // Told late, as a roll is, and still in its place.
        let both = [struck(8_000, "n1 started again"), struck(5_000, "kill n1")];
        let crowd = |n1, n2| BTreeMap::from([("n1".to_owned(), n1), ("n2".to_owned(), n2)]);
        let results = heal(
            &both,
            &samples,
            &[crowd(0, 100), crowd(50, 50)],
            Duration::from_secs(20),
        );
        assert_eq!(
            (results[0].what.as_str(), results[0].reconnected_s),
            ("kill n1", Some(4.0))
        );
        assert_eq!(
            (results[0].imbalance, results[1].imbalance),
            (Some(1.0), Some(2.0))
        );
    }

    #[test]
    fn one_lucky_look_is_not_healed() {
        let samples = course(&[
            (-5_000, 100),
            (5_100, 60),
            (5_500, 100),
            (5_700, 90),
            (6_400, 101),
        ]);
        let result = &healed(&[struck(5_000, "kill n1")], &samples)[0];
        assert_eq!(result.reconnected_s, Some(1.4));
    }

    #[test]
    fn calls_that_come_and_go_are_no_fault() {
        let mut samples = course(&[(-5_000, 100)]);
        for (sample, wave) in samples.iter_mut().zip((0..5).cycle()) {
            sample.connections += wave;
        }
        let result = &healed(&[struck(5_000, "drain n1")], &samples)[0];
        assert_eq!((result.connected_before, result.detected_s), (100, None));
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_dips() {
        let samples: Vec<_> = (0..10_000)
            .map(|look| Sample {
                at_ms: look * 100,
                connections: if look == 7_777 { 1 } else { 100 },
                failures: 0,
            })
            .collect();
        let results = heal(&[struck(0, "kill n1")], &samples, &[], Duration::from_secs(1_000));
        let curve = &results[0].curve;
        assert!(curve.len() <= MOST_POINTS, "{}", curve.len());
        assert!(curve.iter().any(|(_, connections)| *connections == 1));
    }

    #[test]
    fn crowds_are_those_at_the_end_of_each_faults_time() {
        let second = |at_s, n1, n2: Option<u64>| Second {
            at_s,
            connected: [("n1".to_owned(), Some(n1)), ("n2".to_owned(), n2)]
                .into_iter()
                .filter_map(|(node, count)| Some((node, count?)))
                .collect(),
            ..Second::default()
        };
        let seconds = [
            second(1.0, 50, Some(50)),
            second(2.0, 100, None),
            second(3.0, 70, Some(30)),
        ];
        let struck = [struck(1_100, "kill n2"), struck(2_500, "kill n1")];
        let crowds = crowds(&struck, &seconds, Duration::from_secs(3));
        assert_eq!(
            crowds[0],
            BTreeMap::from([("n1".to_owned(), 100), ("n2".to_owned(), 0)])
        );
        assert_eq!(
            crowds[1],
            BTreeMap::from([("n1".to_owned(), 70), ("n2".to_owned(), 30)])
        );
        assert_eq!(imbalance(&crowds[0]), Some(2.0));
    }

    #[test]
    fn without_samples_nothing_is_known_and_nothing_breaks() {
        let result = &heal(&[struck(5_000, "kill n1")], &[], &[], Duration::from_secs(9))[0];
        assert_eq!(
            (result.connected_before, result.detected_s, result.imbalance),
            (0, None, None)
        );
        assert!(result.curve.is_empty());
    }
}
