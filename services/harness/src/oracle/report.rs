//! The report on a log, and how it is printed: one table, and the traces of the first violations. Not how violations are
//! found (`check`).

use std::{collections::BTreeMap, fmt, time::Duration};

/// The kind of a violation, for the traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Violation {
    LostSilently,
    Duplicated,
    Reordered,
    WithoutOutcome,
    Late,
    ManyOutcomes,
    Misdelivered,
    UnexpectedOutcome,
    Ended,
    Failed,
}

/// The report on a run.
#[derive(Debug, Default)]
pub struct OracleReport {
    /// Sends.
    pub sent: usize,
    /// Sends with the outcome `delivered`.
    pub delivered: usize,
    /// Sends with an error as their outcome, by its code and message.
    pub failed: BTreeMap<(String, String), usize>,
    /// Failed sends that arrived: allowed, because `timeout` says nothing of arrival.
    pub failed_but_arrived: usize,
    /// Sends that were queued in between.
    pub queued: usize,
    /// Messages that applications received.
    pub arrived: usize,
    /// `delivered`, but never received by the application.
    pub lost_silently: usize,
    /// Received twice by one application.
    pub duplicated: usize,
    /// Received after a later message of the same stream.
    pub reordered: usize,
    /// Without an outcome at the end of the run.
    pub without_outcome: usize,
    /// With an outcome long after the deadline of the send, although the receiver was there.
    pub late: usize,
    /// With more than one outcome.
    pub many_outcomes: usize,
    /// Received by another peer, under another sender's name, or changed.
    pub misdelivered: usize,
    /// Outcomes of sends that were never made.
    pub unexpected_outcomes: usize,
    /// Connections.
    pub connects: usize,
    /// Connections that resumed a session.
    pub resumes: usize,
    /// Connections that reported a possible gap.
    pub gaps: usize,
    /// Sessions that their applications did not end.
    pub ended: usize,
    /// The longest time a client that had a connection was without one, and its name.
    pub longest_disconnected: (Duration, String),
    /// Records that the log had no room for. The report proves nothing then.
    pub records_dropped: usize,
    /// Traces of violations by kind and, of failed sends, code.
    pub(super) traces: BTreeMap<(Violation, String), Vec<String>>,
}

impl OracleReport {
    /// Sends that failed, with any code.
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

    /// Whether the contract was kept: no violation, no record dropped, and at least one message delivered.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        let violations = [
            self.lost_silently,
            self.duplicated,
            self.reordered,
            self.without_outcome,
            self.late,
            self.many_outcomes,
            self.misdelivered,
            self.unexpected_outcomes,
            self.ended,
            self.records_dropped,
        ];
        violations.iter().all(|count| *count == 0) && self.delivered > 0
    }

    /// The traces of the first violations. Those of failed sends too if there is no violation.
    #[must_use]
    pub fn traces(&self) -> String {
        let mut text = String::new();
        for ((violation, detail), traces) in &self.traces {
            if *violation == Violation::Failed && !self.is_ok() {
                continue;
            }
            for trace in traces {
                text.push_str(&format!("--- {violation:?} {detail}: {trace}\n"));
            }
        }
        text
    }

    pub(super) fn disconnected_for(&mut self, span: Duration, client: &str) {
        if span > self.longest_disconnected.0 {
            self.longest_disconnected = (span, client.to_owned());
        }
    }
}

impl fmt::Display for OracleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("sent", self.sent),
            ("delivered", self.delivered),
            ("failed, with an error", self.failures()),
            ("  … but arrived", self.failed_but_arrived),
            ("queued in between", self.queued),
            ("arrived", self.arrived),
            ("lost silently", self.lost_silently),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("without an outcome", self.without_outcome),
            ("outcome late", self.late),
            ("more than one outcome", self.many_outcomes),
            ("misdelivered", self.misdelivered),
            ("outcomes nobody asked for", self.unexpected_outcomes),
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
        let (longest, client) = &self.longest_disconnected;
        writeln!(f, "  longest without connection {longest:?} {client}")
    }
}
