//! The progress of a load as lines, for logs and pipes: at most one per second, plus each fault and change of phase.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use super::{FaultState, Phase, Progress};
use crate::thresholds::Unit;

/// Minimum time between two lines of the load.
const MIN_GAP: Duration = Duration::from_secs(1);

/// Remembers the lines already printed.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// Repeat and phase of the last line.
    phase: Option<(u32, Phase)>,
    line_at: Option<Instant>,
    faults_shown: usize,
    /// The thresholds that were missed at the last call.
    missed: BTreeSet<String>,
}

impl Plain {
    /// New lines since the last call.
    pub(super) fn lines(&mut self, progress: &Progress, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        let phase = (progress.repeat, progress.phase);
        let is_other_run = self.phase.is_none_or(|(repeat, _)| repeat != progress.repeat);
        if is_other_run {
            self.faults_shown = 0;
            self.missed.clear();
            lines.push(title(progress));
        }
        let struck = progress
            .faults
            .iter()
            .filter(|fault| fault.state != FaultState::Planned);
        for fault in struck.clone().skip(self.faults_shown) {
            lines.push(match &fault.state {
                FaultState::Failed(why) => format!("fault: {} could not be done: {why}", fault.what),
                FaultState::Planned | FaultState::Done => {
                    format!("fault: {} at {:.1}s", fault.what, fault.at.as_secs_f64())
                }
            });
        }
        self.faults_shown = struck.count();
        for threshold in &progress.thresholds {
            let (text, measured) = (&threshold.text, &threshold.measured);
            if threshold.is_met && self.missed.remove(text) {
                lines.push(format!("threshold met again: {text} ({measured})"));
            } else if !threshold.is_met && self.missed.insert(text.clone()) {
                lines.push(format!("threshold missed so far: {text} ({measured})"));
            }
        }
        let is_due = self.line_at.is_none_or(|at| now.duration_since(at) >= MIN_GAP);
        let is_new = self.phase != Some(phase);
        let is_running = matches!(progress.phase, Phase::Connecting | Phase::Load);
        if is_new || (is_running && is_due) {
            lines.push(line(progress));
            self.line_at = Some(now);
        }
        self.phase = Some(phase);
        lines
    }
}

/// Name and number of the run.
pub(super) fn title(progress: &Progress) -> String {
    let Progress {
        name,
        repeat,
        repeats,
        workers,
        ..
    } = progress;
    let workers = match workers {
        0 => String::new(),
        1 => ", 1 worker".into(),
        more => format!(", {more} workers"),
    };
    format!("{name}, run {repeat} of {repeats}{workers}")
}

/// The last second, and all errors and violations so far.
pub(super) fn line(progress: &Progress) -> String {
    let mut line = progress.phase_text();
    // Writing to a string cannot fail.
    if let (Phase::Load, Some(second)) = (progress.phase, progress.latest()) {
        let counter = progress.main_counter().name();
        let count = second.counts.get(counter).copied().unwrap_or(0);
        let _ = write!(line, "  {counter} {count}/s");
        let metric = progress.main_metric().map(|metric| metric.name());
        if let Some((name, times)) = metric.and_then(|name| Some((name, second.times.get(name)?))) {
            let show = |micros| Unit::Micros.show(micros);
            let _ = write!(
                line,
                "  {name} p50 {} p99 {}",
                show(times.p50_us),
                show(times.p99_us)
            );
        }
        let nodes: Vec<_> = second
            .connected
            .iter()
            .map(|(node, count)| format!("{node} {count}"))
            .collect();
        let _ = write!(line, "  connections {}", progress.connections());
        if nodes.len() > 1 {
            let _ = write!(line, " ({})", nodes.join(", "));
        }
    }
    let errors: u64 = progress.errors.iter().map(|(_, count)| count).sum();
    if errors > 0 {
        let _ = write!(line, "  errors {errors}");
    }
    if !progress.thresholds.is_empty() {
        let met = progress
            .thresholds
            .iter()
            .filter(|threshold| threshold.is_met)
            .count();
        let _ = write!(line, "  thresholds {met} of {} met", progress.thresholds.len());
    }
    for (counter, count) in progress.violations() {
        let _ = write!(line, "  {} {count}!", counter.name());
    }
    line
}
