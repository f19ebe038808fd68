//! The story of one send, for whoever has to find out why it went wrong: everything that the log has about it
//! and about the two clients around that time, in order.

use std::{fmt::Write as _, time::Duration};

use super::log::{Change, ClientNo, Log, Said, Stamp};

/// How much of what went on before and after is told.
const AROUND: Duration = Duration::from_secs(12);

/// Lines of a story.
const MAX_LINES: usize = 80;

/// The story of a send.
pub(super) fn of(log: &Log, id: u64, said: &Said, stamp: Stamp) -> String {
    let mut lines = Vec::new();
    if let Some(send) = said.send {
        lines.push((send.at, "sent".to_owned()));
    }
    lines.extend(said.queued.iter().map(|at| (*at, "told: queued".to_owned())));
    let words = said.words.iter();
    lines.extend(words.map(|(at, word)| (*at, format!("told: {word:?}"))));
    around(log, &mut lines, stamp);
    tell(log, id, lines, stamp)
}

/// The same, with the send to be looked up.
pub(super) fn of_stamp(log: &Log, stamp: Stamp) -> String {
    let said = log
        .clients
        .get(stamp.from.index())
        .into_iter()
        .flat_map(|client| &client.said);
    let mut found = said.filter(|(_, said)| said.send.is_some_and(|send| send.stamp == stamp));
    found.next().map_or_else(
        || format!("{stamp:?} was never sent"),
        |(id, said)| of(log, *id, said, stamp),
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
            (arrival.at, format!("{} got it, mid {mid} seq {seq}", client.name))
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
                format!("  (number {number} got there, mid {mid} seq {seq})"),
            ));
        }
    }
}

fn change_text(log: &Log, client: ClientNo, change: &Change) -> String {
    let name = log.name(client);
    match change {
        Change::Connected { node, resumed, gap } => {
            format!("{name} connected to {node} resumed={resumed} gap={gap}")
        }
        Change::Disconnected { reason } => format!("{name} disconnected: {reason}"),
        Change::Ended { code, reason } => format!("{name} ended: {code} {reason}"),
    }
}

fn tell(log: &Log, id: u64, mut lines: Vec<(Duration, String)>, stamp: Stamp) -> String {
    lines.sort();
    let (from, to, number) = (log.name(stamp.from), log.name(stamp.to), stamp.number);
    let mut text = format!("{from} id {id} → {to}, number {number}\n");
    for (at, line) in lines.iter().take(MAX_LINES) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:>11.3} s  {line}", at.as_secs_f64());
    }
    if lines.len() > MAX_LINES {
        let _ = writeln!(text, "             … {} lines more", lines.len() - MAX_LINES);
    }
    text
}
