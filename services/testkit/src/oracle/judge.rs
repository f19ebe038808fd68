//! The judgement: what the promise of delivery calls a loss, a duplicate, a reordering, a silence. It reads the
//! log only.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use switchboard_client::Outcome;

use super::{
    history,
    log::{Change, ClientLog, ClientNo, Log, Said, Stamp},
    verdict::{Offence, Verdict},
};

/// Offenders whose history is kept, of each kind.
const MAX_SHOWN: usize = 3;

/// The longest that a word may take: the deadline of a send, and some more for a busy machine.
const WORD_WITHIN: Duration = Duration::from_secs(8);

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

fn said(log: &Log) -> impl Iterator<Item = (ClientNo, u64, &Said)> {
    (0..).zip(&log.clients).flat_map(|(number, client)| {
        let said = client.said.iter();
        said.map(move |(id, said)| (ClientNo(number), *id, said))
    })
}

fn is_delivered(said: &Said) -> bool {
    said.words.iter().any(|(_, word)| *word == Outcome::Delivered)
}

fn hears(log: &Log, client: ClientNo) -> bool {
    log.clients
        .get(client.index())
        .is_some_and(|client| client.has_ears)
}

/// Delivered sends that have not arrived.
pub(super) fn missing(log: &Log) -> usize {
    let arrived = arrived(log);
    let delivered = said(log).filter(|(_, _, said)| is_delivered(said));
    let sends = delivered.filter_map(|(_, _, said)| said.send);
    sends
        .filter(|send| hears(log, send.stamp.to) && !arrived.contains_key(&send.stamp))
        .count()
}

/// Judges the whole log.
pub(super) fn judge(log: &Log) -> Verdict {
    let mut verdict = Verdict {
        records_dropped: log.dropped,
        ..Verdict::default()
    };
    let arrived = arrived(log);
    let mut sent = HashSet::new();
    for (from, id, said) in said(log) {
        let Some(send) = said.send else {
            verdict.unasked += 1;
            let what = format!(
                "{}/{id}: a word on what was never sent: {:?}",
                log.name(from),
                said.words
            );
            verdict.offend(Offence::Unasked, || what);
            continue;
        };
        sent.insert(send.stamp);
        judge_send(log, &mut verdict, &arrived, id, said, send.stamp);
    }
    for (number, client) in (0..).zip(&log.clients) {
        judge_arrivals(log, &mut verdict, ClientNo(number), client, &sent);
        judge_changes(&mut verdict, client);
    }
    verdict
}

fn judge_send(log: &Log, verdict: &mut Verdict, arrived: &Arrived, id: u64, said: &Said, stamp: Stamp) {
    verdict.sent += 1;
    verdict.queued += usize::from(!said.queued.is_empty());
    let (arrived_at, times) = arrived
        .get(&stamp)
        .map_or((None, 0), |(at, times)| (Some(*at), *times));
    let story = || history::of(log, id, said, stamp);
    match said.words.as_slice() {
        [] => {
            verdict.wordless += 1;
            verdict.offend(Offence::Wordless, story);
        }
        [(_, Outcome::Delivered)] => {
            verdict.delivered += 1;
            if times == 0 && hears(log, stamp.to) {
                verdict.lost_silently += 1;
                verdict.offend(Offence::LostSilently, story);
            }
        }
        [(_, Outcome::Failed { code, message })] => {
            let reason = (code.to_string(), message.clone());
            *verdict.failed.entry(reason).or_default() += 1;
            verdict.told_but_arrived += usize::from(times > 0);
            verdict.offend_in(Offence::Failed, code.to_string(), story);
        }
        [_, _, ..] => {
            verdict.many_words += 1;
            verdict.offend(Offence::ManyWords, story);
        }
    }
    if is_overdue(log, said, stamp, arrived_at) {
        verdict.overdue += 1;
        verdict.offend(Offence::Overdue, story);
    }
    if times > 1 {
        verdict.duplicated += 1;
        verdict.offend(Offence::Duplicated, story);
    }
}

/// Whether the word on a send came long after it was due: reckoned from the send, from its sender's last connect
/// before the word (the session repeats it then), and, where it was told to wait, from its arrival.
fn is_overdue(log: &Log, said: &Said, stamp: Stamp, arrived_at: Option<Duration>) -> bool {
    let (Some(send), Some((word, _))) = (said.send, said.words.first()) else {
        return false;
    };
    let due = if said.queued.is_empty() {
        Some(send.at)
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
            Change::Connected { .. } => Some(*at).filter(|at| at < word),
            Change::Disconnected { .. } | Change::Ended { .. } => None,
        });
    let last = connects.max().unwrap_or_default();
    due.is_some_and(|due| *word > due.max(last) + WORD_WITHIN)
}

fn judge_arrivals(
    log: &Log,
    verdict: &mut Verdict,
    number: ClientNo,
    client: &ClientLog,
    sent: &HashSet<Stamp>,
) {
    let mut highest: HashMap<ClientNo, u64> = HashMap::new();
    for arrival in &client.arrivals {
        verdict.arrived += 1;
        let stamp = arrival.stamp.filter(|stamp| {
            stamp.to == number && sent.contains(stamp) && log.name(stamp.from) == arrival.from
        });
        let Some(stamp) = stamp else {
            verdict.misdelivered += 1;
            let what = format!("{} got {arrival:?}", client.name);
            verdict.offend(Offence::Misdelivered, || what);
            continue;
        };
        let before = highest.entry(stamp.from).or_default();
        // The same number once more is a duplicate, and counted as that.
        if stamp.number < *before {
            verdict.reordered += 1;
            let after = *before;
            verdict.offend(Offence::Reordered, || {
                format!("arrived after {after}: {}", history::of_stamp(log, stamp))
            });
        }
        *before = stamp.number.max(*before);
    }
}

/// The times a client was without a connection, once it had one.
fn judge_changes(verdict: &mut Verdict, client: &ClientLog) {
    let mut lost = None;
    let mut had_one = false;
    for (at, change) in &client.changes {
        match change {
            Change::Connected { resumed, gap, .. } => {
                verdict.connects += 1;
                verdict.resumes += usize::from(*resumed);
                verdict.gaps += usize::from(*gap);
                if let Some(since) = lost.take() {
                    verdict.was_without(*at - since, &client.name);
                }
                had_one = true;
            }
            Change::Disconnected { .. } if had_one => {
                lost.get_or_insert(*at);
            }
            Change::Disconnected { .. } => {}
            Change::Ended { code, reason } => {
                verdict.ended += 1;
                let what = format!("{} ended at {at:?} with {code} {reason}", client.name);
                verdict.offend(Offence::Ended, || what);
            }
        }
    }
}

impl Verdict {
    /// Keeps the story of one of the first offenders of a kind.
    fn offend(&mut self, offence: Offence, story: impl FnOnce() -> String) {
        self.offend_in(offence, String::new(), story);
    }

    fn offend_in(&mut self, offence: Offence, detail: String, story: impl FnOnce() -> String) {
        let stories = self.offenders.entry((offence, detail)).or_default();
        if stories.len() < MAX_SHOWN {
            stories.push(story());
        }
    }
}
