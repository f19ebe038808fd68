//! The judgement: what the promise of delivery calls a loss, a duplicate, a reordering, a silence. It reads the
//! log only.

use std::collections::{HashMap, HashSet};

use switchboard_client::Outcome;

use super::{
    history,
    log::{Change, ClientLog, ClientNo, Log, Said, Stamp},
    verdict::{Offence, Verdict},
};

/// Offenders whose history is kept, of each kind.
const MAX_SHOWN: usize = 3;

/// How often each stamp arrived at its receiver.
fn arrived(log: &Log) -> HashMap<Stamp, usize> {
    let mut arrived = HashMap::new();
    for (number, client) in (0..).zip(&log.clients) {
        let stamps = client.arrivals.iter().filter_map(|arrival| arrival.stamp);
        for stamp in stamps.filter(|stamp| stamp.to == ClientNo(number)) {
            *arrived.entry(stamp).or_default() += 1;
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

fn judge_send(
    log: &Log,
    verdict: &mut Verdict,
    arrived: &HashMap<Stamp, usize>,
    id: u64,
    said: &Said,
    stamp: Stamp,
) {
    verdict.sent += 1;
    verdict.queued += usize::from(!said.queued.is_empty());
    let times = arrived.get(&stamp).copied().unwrap_or(0);
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
    if times > 1 {
        verdict.duplicated += 1;
        verdict.offend(Offence::Duplicated, story);
    }
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
