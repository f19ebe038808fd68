//! The trace of one send, for the search for the cause of a violation: all records of it, and those of its two clients
//! around that time, in order.

use std::{fmt::Write as _, time::Duration};

use super::log::{ClientNo, ConnectionChange, Log, SendRecord, Stamp};

/// How much time before and after the send the trace covers.
const AROUND: Duration = Duration::from_secs(12);

/// The most lines of a trace.
const MAX_LINES: usize = 80;

/// The trace of a send.
pub(super) fn of(log: &Log, id: u64, record: &SendRecord, stamp: Stamp) -> String {
    let mut lines = Vec::new();
    if let Some(sent) = record.sent {
        lines.push((sent.at, "sent".to_owned()));
    }
    lines.extend(record.queued.iter().map(|at| (*at, "queued".to_owned())));
    let outcomes = record.outcomes.iter();
    lines.extend(outcomes.map(|(at, outcome)| (*at, format!("outcome: {outcome:?}"))));
    around(log, &mut lines, stamp);
    text(log, id, lines, stamp)
}

/// The trace of the send with this stamp.
pub(super) fn of_stamp(log: &Log, stamp: Stamp) -> String {
    let sends = log
        .clients
        .get(stamp.from.index())
        .into_iter()
        .flat_map(|client| &client.sends);
    let mut found = sends.filter(|(_, record)| record.sent.is_some_and(|sent| sent.stamp == stamp));
    found.next().map_or_else(
        || format!("{stamp:?} was never sent"),
        |(id, record)| of(log, *id, record, stamp),
    )
}

fn around(log: &Log, lines: &mut Vec<(Duration, String)>, stamp: Stamp) {
    for client in &log.clients {
        let arrivals = client
            .arrivals
            .iter()
            .filter(|arrival| arrival.stamp == Some(stamp));
        lines.extend(arrivals.map(|arrival| {
            let (mid, seq) = (&arrival.mid, arrival.seq);
            (
                arrival.at,
                format!("{} received it, mid {mid} seq {seq}", client.name),
            )
        }));
    }
    let times = || lines.iter().map(|(at, _)| *at);
    let first = times().min().unwrap_or_default().saturating_sub(AROUND);
    let last = times().max().unwrap_or_default() + AROUND;
    let near = |at: &Duration| *at >= first && *at <= last;
    let mut more = Vec::new();
    for number in [stamp.from, stamp.to] {
        let changes = log
            .clients
            .get(number.index())
            .map(|client| client.changes.iter());
        let changes = changes.into_iter().flatten().filter(|(at, _)| near(at));
        more.extend(changes.map(|(at, change)| (*at, change_text(log, number, change))));
    }
    let faults = log.faults.iter().filter(|(at, _)| near(at));
    more.extend(faults.map(|(at, name)| (*at, format!("### {name}"))));
    neighbours(log, &mut more, stamp);
    lines.extend(more);
}

/// The arrivals of the two numbers before and after it.
fn neighbours(log: &Log, lines: &mut Vec<(Duration, String)>, stamp: Stamp) {
    let arrivals = log
        .clients
        .get(stamp.to.index())
        .map(|client| client.arrivals.iter());
    for arrival in arrivals.into_iter().flatten() {
        let Some(other) = arrival.stamp.filter(|other| other.from == stamp.from) else {
            continue;
        };
        if other.number != stamp.number && other.number.abs_diff(stamp.number) <= 2 {
            let (number, mid, seq) = (other.number, &arrival.mid, arrival.seq);
            lines.push((
                arrival.at,
                format!("  (number {number} arrived, mid {mid} seq {seq})"),
            ));
        }
    }
}

fn change_text(log: &Log, client: ClientNo, change: &ConnectionChange) -> String {
    let name = log.name(client);
    match change {
        ConnectionChange::Connected { node, resumed, gap } => {
            format!("{name} connected to {node} resumed={resumed} gap={gap}")
        }
        ConnectionChange::Disconnected { reason } => format!("{name} disconnected: {reason}"),
        ConnectionChange::Ended { code, reason } => format!("{name} ended: {code} {reason}"),
    }
}

fn text(log: &Log, id: u64, mut lines: Vec<(Duration, String)>, stamp: Stamp) -> String {
    lines.sort();
    let (from, to, number) = (log.name(stamp.from), log.name(stamp.to), stamp.number);
    let mut text = format!("{from} id {id} → {to}, number {number}\n");
    for (at, line) in lines.iter().take(MAX_LINES) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:>11.3} s  {line}", at.as_secs_f64());
    }
    if lines.len() > MAX_LINES {
        let _ = writeln!(text, "             … {} more lines", lines.len() - MAX_LINES);
    }
    text
}
