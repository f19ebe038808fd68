//! What the judgement comes to, and how it is printed: one table, and the stories of the first offenders. Not
//! how it is found (`judge`).

use std::{collections::BTreeMap, fmt, time::Duration};

/// What can be wrong, for the stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Offence {
    LostSilently,
    Duplicated,
    Reordered,
    Wordless,
    Overdue,
    ManyWords,
    Misdelivered,
    Unasked,
    Ended,
    Failed,
}

/// The judgement on a run.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Sends.
    pub sent: usize,
    /// Sends whose one word is `delivered`.
    pub delivered: usize,
    /// Sends whose one word is an error, by its code and what the session said to it.
    pub failed: BTreeMap<(String, String), usize>,
    /// Sends that failed and arrived all the same: allowed, as `timeout` says.
    pub told_but_arrived: usize,
    /// Sends that were told to wait in between.
    pub queued: usize,
    /// Messages that applications got.
    pub arrived: usize,
    /// `delivered`, but the application never got it.
    pub lost_silently: usize,
    /// The same number twice at one application.
    pub duplicated: usize,
    /// A lower number after a higher one of the same stream.
    pub reordered: usize,
    /// Without a final word when the run had ended.
    pub wordless: usize,
    /// With a final word that came long after the send's deadline, and not because its receiver was away.
    pub overdue: usize,
    /// With more than one final word.
    pub many_words: usize,
    /// Arrived at somebody else, under another sender's name, or changed.
    pub misdelivered: usize,
    /// Words on what was never sent.
    pub unasked: usize,
    /// Connections.
    pub connects: usize,
    /// Of those, such that went on with a session.
    pub resumes: usize,
    /// Of those, such that said something may be missing.
    pub gaps: usize,
    /// Sessions that ended by themselves.
    pub ended: usize,
    /// The longest time a client was without a connection, once it had one, and which.
    pub longest_without: (Duration, String),
    /// Records that the log had no room for: nothing can be said then.
    pub records_dropped: usize,
    /// By kind and, of the failed ones, code.
    pub(super) offenders: BTreeMap<(Offence, String), Vec<String>>,
}

impl Verdict {
    /// Sends that failed, whatever the code.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.failed.values().sum()
    }

    /// Sends that failed with `code`.
    #[must_use]
    pub fn failed_with(&self, code: &str) -> usize {
        let of_code = self.failed.iter().filter(|((of, _), _)| of == code);
        of_code.map(|(_, count)| count).sum()
    }

    /// Whether the promise was kept: nothing lost in silence, twice, out of order, without a word in time, or where
    /// it does not belong; and something was sent at all.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        let offences = [
            self.lost_silently,
            self.duplicated,
            self.reordered,
            self.wordless,
            self.overdue,
            self.many_words,
            self.misdelivered,
            self.unasked,
            self.ended,
            self.records_dropped,
        ];
        offences.iter().all(|count| *count == 0) && self.delivered > 0
    }

    /// The stories of the first offenders; failed sends too if there is nothing worse.
    #[must_use]
    pub fn stories(&self) -> String {
        let mut text = String::new();
        for ((offence, detail), stories) in &self.offenders {
            if *offence == Offence::Failed && !self.is_kept() {
                continue;
            }
            for story in stories {
                text.push_str(&format!("--- {offence:?} {detail}: {story}\n"));
            }
        }
        text
    }

    pub(super) fn was_without(&mut self, how_long: Duration, client: &str) {
        if how_long > self.longest_without.0 {
            self.longest_without = (how_long, client.to_owned());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("sent", self.sent),
            ("delivered", self.delivered),
            ("failed, with an error", self.failures()),
            ("  … but arrived", self.told_but_arrived),
            ("queued in between", self.queued),
            ("arrived", self.arrived),
            ("lost silently", self.lost_silently),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("without a final word", self.wordless),
            ("final word overdue", self.overdue),
            ("more than one final word", self.many_words),
            ("misdelivered", self.misdelivered),
            ("words nobody asked for", self.unasked),
            ("connections", self.connects),
            ("  … resumed", self.resumes),
            ("  … with a gap", self.gaps),
            ("sessions that ended", self.ended),
            ("records dropped", self.records_dropped),
        ];
        for (name, count) in rows {
            writeln!(f, "  {name:<26}{count:>9}")?;
        }
        for ((code, message), count) in &self.failed {
            writeln!(f, "    {count:>6} × {code}: {message}")?;
        }
        let (longest, client) = &self.longest_without;
        writeln!(f, "  longest without connection {longest:?} {client}")
    }
}
