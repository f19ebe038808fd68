//! What an attack may cost the others, and whether it cost more.

use std::{fmt, time::Duration};

use crate::{
    attack::{Attack, Findings},
    memory::Memory,
    tally::Noticed,
};

/// The bystanders' p99 may double, or grow by this much on a machine where all processes share two cores. A debug build
/// is slow by itself: there only errors, refusals, memory and the attacks' own checks are strict.
pub(crate) const P99_GROWTH: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(1)
} else {
    Duration::from_millis(10)
};

/// Memory that an attacker may make a node take, in MiB.
pub(crate) const NODE_GROWTH_MIB: f64 = 96.0;

/// Memory that an attacker may make Redis take, in MiB.
pub(crate) const REDIS_GROWTH_MIB: f64 = 48.0;

/// One attack and all that it did.
pub(crate) struct Outcome {
    pub(crate) attack: &'static Attack,
    pub(crate) noticed: Noticed,
    /// At its beginning, and the most since.
    pub(crate) memory: [Memory; 2],
    pub(crate) findings: Findings,
}

impl Outcome {
    /// Whether nobody else was harmed.
    pub(crate) fn is_held(&self) -> bool {
        self.violations().is_empty()
    }

    /// Everything that it should not have done.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut findings = Findings::default();
        let [before, since] = self.noticed.messages;
        let limit = (2 * before.p99).max(before.p99 + P99_GROWTH);
        findings.check(
            since.p99 <= limit,
            format!(
                "the bystanders' p99 went from {:?} to {:?}; {limit:?} is allowed",
                before.p99, since.p99
            ),
        );
        findings.check(since.count > 0, "no message of a bystander was delivered");
        let (errors, refusals) = (self.noticed.errors, self.noticed.refusals);
        let words = self.noticed.words.join("; ");
        findings.check(
            errors + refusals == 0,
            format!("{errors} errors and {refusals} refusals of bystanders: {words}"),
        );
        let [before, most] = self.memory;
        let grown = most.node_mib - before.node_mib;
        findings.check(
            grown <= NODE_GROWTH_MIB,
            format!("a node grew by {grown:.0} MiB; {NODE_GROWTH_MIB} are allowed"),
        );
        let grown = most.redis_mib - before.redis_mib;
        findings.check(
            grown <= REDIS_GROWTH_MIB,
            format!("Redis grew by {grown:.0} MiB; {REDIS_GROWTH_MIB} are allowed"),
        );
        findings.violations.extend_from_slice(&self.findings.violations);
        findings.violations
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, since] = self.noticed.messages;
        let [_, connects] = self.noticed.connects;
        let [memory, most] = self.memory;
        writeln!(
            f,
            "    bystanders: p50 {} → {} ms, p99 {} → {} ms ({} messages), connect at most {} ms ({}), {} errors, {} refusals",
            ms(before.p50),
            ms(since.p50),
            ms(before.p99),
            ms(since.p99),
            before.count + since.count,
            ms(connects.max),
            connects.count,
            self.noticed.errors,
            self.noticed.refusals
        )?;
        writeln!(
            f,
            "    memory: node {:.0} → {:.0} MiB, Redis {:.1} → {:.1} MiB",
            memory.node_mib, most.node_mib, memory.redis_mib, most.redis_mib
        )?;
        for note in &self.findings.notes {
            writeln!(f, "    attacker: {note}")?;
        }
        for violation in self.violations() {
            writeln!(f, "    VIOLATION: {violation}")?;
        }
        write!(f, "    {}", if self.is_held() { "held" } else { "NOT HELD" })
    }
}

/// Milliseconds with as many digits as mean something.
pub(crate) fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 10.0 {
        format!("{ms:.2}")
    } else {
        format!("{ms:.0}")
    }
}
