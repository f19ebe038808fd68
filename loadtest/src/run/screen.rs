//! The data of the live view, kept up to date.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{options::Options, plan::Plan};
use crate::{
    exposition::Exposition,
    faults::DoneFaults,
    fleet::Merged,
    live::{FaultMark, FaultState, Live, Phase, Progress, UserRequest},
    scenario::{Fault, Scenario},
    thresholds::Threshold,
};

/// Seconds that the view shows.
const SECONDS: usize = 240;

/// Feeds a view.
pub(super) struct Screen<'a> {
    live: &'a mut Live,
    exposition: Option<&'a Exposition>,
    /// Cancelled when the user asks for an early end.
    pub(super) stop: CancellationToken,
    pub(super) progress: Progress,
    planned: Vec<Fault>,
    thresholds: Vec<Threshold>,
    /// Seconds of load for which the thresholds were last evaluated.
    evaluated_s: i64,
    /// The workers' records, once there are workers.
    pub(super) merged: Option<Arc<Mutex<Merged>>>,
    pub(super) done_faults: DoneFaults,
    /// When the load starts, once that is known.
    pub(super) start: Option<Instant>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(
        live: &'a mut Live,
        options: &'a Options,
        scenario: &Scenario,
        repeat: u32,
        plan: &Plan,
    ) -> Self {
        let progress = Progress {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            repeat: repeat + 1,
            repeats: scenario.repeats,
            length: scenario.length(),
            connections_wanted: plan.connections as u64,
            workers: plan.workers,
            waiting: scenario.thresholds.clone(),
            ..Progress::default()
        };
        // All of them can be read: the scenario was checked.
        let thresholds = scenario.thresholds.iter().filter_map(|text| text.parse().ok());
        Self {
            live,
            exposition: options.exposition.as_ref(),
            stop: options.stop.clone(),
            progress,
            planned: scenario.faults.clone(),
            thresholds: thresholds.collect(),
            evaluated_s: 0,
            merged: None,
            done_faults: DoneFaults::default(),
            start: None,
        }
    }

    /// Shows the current state.
    ///
    /// # Errors
    /// When the user asks for the end a second time: at once, without a report.
    pub(super) fn show(&mut self) -> anyhow::Result<()> {
        if let Some(merged) = self.merged.clone() {
            let merged = merged.lock();
            self.progress.series = merged.newest(SECONDS);
            self.progress.counts.clone_from(&merged.counts);
            self.progress.times = merged.times();
            self.progress.errors.clone_from(&merged.errors);
            self.evaluate(&merged)?;
        }
        self.progress.elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.progress.faults = self.faults();
        if let Some(exposition) = self.exposition {
            exposition.show(&self.progress);
        }
        if self.live.show(&self.progress) == UserRequest::Stop {
            anyhow::ensure!(
                !self.stop.is_cancelled(),
                "stopped at once by the user; nothing is written"
            );
            self.stop.cancel();
        }
        Ok(())
    }

    /// Evaluates the thresholds on the load so far, once for each second of it.
    fn evaluate(&mut self, merged: &Merged) -> anyhow::Result<()> {
        let load_s = merged.load_s();
        if load_s <= self.evaluated_s || self.thresholds.is_empty() {
            return Ok(());
        }
        self.evaluated_s = load_s;
        let mut so_far = merged.figures()?;
        so_far.load_s = (load_s as f64).min(self.progress.length.as_secs_f64());
        let thresholds = self.thresholds.iter();
        let (known, waiting): (Vec<_>, Vec<_>) =
            thresholds.partition(|threshold| threshold.has_value(&so_far));
        let known = known.into_iter().map(|threshold| threshold.evaluate(&so_far));
        self.progress.thresholds = known.collect();
        let waiting = waiting.into_iter().map(|threshold| threshold.text().to_owned());
        self.progress.waiting = waiting.collect();
        Ok(())
    }

    pub(super) fn done(&mut self) {
        self.progress.phase = Phase::Done;
        // The run is over, so that a request to stop comes too late.
        let _ = self.show();
    }

    fn faults(&self) -> Vec<FaultMark> {
        let done = self.done_faults.lock();
        let done = done.iter().map(|fault| FaultMark {
            at: fault.at,
            what: fault.what.clone(),
            state: fault.error.clone().map_or(FaultState::Done, FaultState::Failed),
        });
        let elapsed = self.progress.elapsed;
        let coming = self.planned.iter().filter(|fault| fault.at.get() > elapsed);
        let coming = coming.map(|fault| FaultMark {
            at: fault.at.get(),
            what: fault.to_string(),
            state: FaultState::Planned,
        });
        done.chain(coming).collect()
    }
}
