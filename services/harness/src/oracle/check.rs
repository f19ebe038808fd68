//! The check of a log against the delivery contract (`docs/delivery.md`): lost, duplicated, reordered, without an
//! outcome. It reads the log only.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use switchboard_client::SendReport;
use switchboard_protocol::SendOutcome;

use super::{
    log::{ClientLog, ClientNo, ConnectionChange, Log, SendRecord, Sent, Stamp},
    report::{OracleReport, Violation},
    trace,
};

/// Traces kept of each kind of violation.
const MAX_TRACES: usize = 3;

/// The longest that an outcome may take: the deadline of a send, and some more for a busy machine.
const OUTCOME_WITHIN: Duration = Duration::from_secs(8);

/// When each stamp first arrived at its receiver, and how often.
type Arrived = HashMap<Stamp, (Duration, usize)>;

fn arrived(log: &Log) -> Arrived {
    let mut arrived = Arrived::new();
    for (number, client) in (0..).zip(&log.clients) {
        for arrival in &client.arrivals {
            if let Some(stamp) = arrival.stamp.filter(|stamp| stamp.to == ClientNo(number)) {
                arrived.entry(stamp).or_insert((arrival.at, 0)).1 += 1;
            }
        }
    }
    arrived
}

fn sends(log: &Log) -> impl Iterator<Item = (ClientNo, u64, &SendRecord)> {
    (0..).zip(&log.clients).flat_map(|(number, client)| {
        let sends = client.sends.iter();
        sends.map(move |(id, record)| (ClientNo(number), *id, record))
    })
}

fn is_delivered(record: &SendRecord) -> bool {
    record.outcomes.iter().any(|(_, outcome)| outcome.is_delivered())
}

fn reads(log: &Log, client: ClientNo) -> bool {
    log.clients.get(client.index()).is_some_and(|client| client.reads)
}

/// Delivered sends that have not arrived.
pub(super) fn missing(log: &Log) -> usize {
    let arrived = arrived(log);
    let delivered = sends(log).filter(|(_, _, record)| is_delivered(record));
    let stamps = delivered.filter_map(|(_, _, record)| Some(record.sent?.stamp));
    stamps
        .filter(|stamp| reads(log, stamp.to) && !arrived.contains_key(stamp))
        .count()
}

/// Checks the whole log.
pub(super) fn check(log: &Log) -> OracleReport {
    let mut report = OracleReport {
        records_dropped: log.dropped,
        ..OracleReport::default()
    };
    let arrived = arrived(log);
    let mut stamps = HashSet::new();
    for (from, id, record) in sends(log) {
        let Some(Sent { stamp, .. }) = record.sent else {
            report.unexpected_outcomes += 1;
            let what = format!(
                "{}/{id}: an outcome of a send that was never made: {:?}",
                log.name(from),
                record.outcomes
            );
            report.violation(Violation::UnexpectedOutcome, || what);
            continue;
        };
        stamps.insert(stamp);
        check_send(log, &mut report, &arrived, id, record, stamp);
    }
    for (number, client) in (0..).zip(&log.clients) {
        check_arrivals(log, &mut report, ClientNo(number), client, &stamps);
        check_connections(&mut report, client);
    }
    report
}

fn check_send(
    log: &Log,
    report: &mut OracleReport,
    arrived: &Arrived,
    id: u64,
    record: &SendRecord,
    stamp: Stamp,
) {
    report.sent += 1;
    report.queued += usize::from(!record.queued.is_empty());
    let (arrived_at, times) = arrived
        .get(&stamp)
        .map_or((None, 0), |(at, times)| (Some(*at), *times));
    let trace_of = || trace::of(log, id, record, stamp);
    match record.outcomes.as_slice() {
        [] => {
            report.without_outcome += 1;
            report.violation(Violation::WithoutOutcome, trace_of);
        }
        [
            (
                _,
                SendReport {
                    outcome: SendOutcome::Delivered | SendOutcome::Published,
                    ..
                },
            ),
        ] => {
            report.delivered += 1;
            if times == 0 && reads(log, stamp.to) {
                report.lost_silently += 1;
                report.violation(Violation::LostSilently, trace_of);
            }
        }
        [
            (
                _,
                SendReport {
                    outcome: SendOutcome::Error(code),
                    message,
                },
            ),
        ] => {
            let reason = (code.to_string(), message.clone());
            *report.failed.entry(reason).or_default() += 1;
            report.failed_but_arrived += usize::from(times > 0);
            report.violation_of(Violation::Failed, code.to_string(), trace_of);
        }
        [_, _, ..] => {
            report.many_outcomes += 1;
            report.violation(Violation::ManyOutcomes, trace_of);
        }
    }
    if is_late(log, record, stamp, arrived_at) {
        report.late += 1;
        report.violation(Violation::Late, trace_of);
    }
    if times > 1 {
        report.duplicated += 1;
        report.violation(Violation::Duplicated, trace_of);
    }
}

/// Whether the outcome of a send came long after it was due. It is due [`OUTCOME_WITHIN`] after the latest of: the send
/// (or, if it was queued, its arrival), and the last connect of its sender before the outcome, which repeats the send.
fn is_late(log: &Log, record: &SendRecord, stamp: Stamp, arrived_at: Option<Duration>) -> bool {
    let (Some(sent), Some((outcome, _))) = (record.sent, record.outcomes.first()) else {
        return false;
    };
    let due = if record.queued.is_empty() {
        Some(sent.at)
    } else {
        arrived_at
    };
    let changes = log
        .clients
        .get(stamp.from.index())
        .map(|client| client.changes.iter());
    let connects = changes
        .into_iter()
        .flatten()
        .filter_map(|(at, change)| match change {
            ConnectionChange::Connected { .. } => Some(*at).filter(|at| at < outcome),
            ConnectionChange::Disconnected { .. } | ConnectionChange::Ended { .. } => None,
        });
    let last = connects.max().unwrap_or_default();
    due.is_some_and(|due| *outcome > due.max(last) + OUTCOME_WITHIN)
}

fn check_arrivals(
    log: &Log,
    report: &mut OracleReport,
    number: ClientNo,
    client: &ClientLog,
    sent: &HashSet<Stamp>,
) {
    let mut highest: HashMap<ClientNo, u64> = HashMap::new();
    for arrival in &client.arrivals {
        report.arrived += 1;
        let stamp = arrival.stamp.filter(|stamp| {
            stamp.to == number && sent.contains(stamp) && log.name(stamp.from) == arrival.from
        });
        let Some(stamp) = stamp else {
            report.misdelivered += 1;
            let what = format!("{} got {arrival:?}", client.name);
            report.violation(Violation::Misdelivered, || what);
            continue;
        };
        let before = highest.entry(stamp.from).or_default();
        // The same number once more is a duplicate, and counted as that.
        if stamp.number < *before {
            report.reordered += 1;
            let after = *before;
            report.violation(Violation::Reordered, || {
                format!("arrived after {after}: {}", trace::of_stamp(log, stamp))
            });
        }
        *before = stamp.number.max(*before);
    }
}

/// How long a client that had a connection was without one.
fn check_connections(report: &mut OracleReport, client: &ClientLog) {
    let mut lost = None;
    let mut was_connected = false;
    for (at, change) in &client.changes {
        match change {
            ConnectionChange::Connected { resumed, gap, .. } => {
                report.connects += 1;
                report.resumes += usize::from(*resumed);
                report.gaps += usize::from(*gap);
                if let Some(since) = lost.take() {
                    report.disconnected_for(*at - since, &client.name);
                }
                was_connected = true;
            }
            ConnectionChange::Disconnected { .. } if was_connected => {
                lost.get_or_insert(*at);
            }
            ConnectionChange::Disconnected { .. } => {}
            ConnectionChange::Ended { code, reason } => {
                report.ended += 1;
                let what = format!("{} ended at {at:?} with {code} {reason}", client.name);
                report.violation(Violation::Ended, || what);
            }
        }
    }
}

impl OracleReport {
    /// Keeps the trace of a violation, if it is one of the first of its kind.
    fn violation(&mut self, violation: Violation, trace_of: impl FnOnce() -> String) {
        self.violation_of(violation, String::new(), trace_of);
    }

    fn violation_of(&mut self, violation: Violation, detail: String, trace_of: impl FnOnce() -> String) {
        let traces = self.traces.entry((violation, detail)).or_default();
        if traces.len() < MAX_TRACES {
            traces.push(trace_of());
        }
    }
}
