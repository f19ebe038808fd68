//! The data of the live view, kept up to date.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    faults::DoneFaults,
    fleet::Merged,
    live::{FaultMark, FaultState, Live, Phase, Progress, UserRequest},
    scenario::{Fault, Scenario},
};

/// Seconds that the view shows.
const SECONDS: usize = 240;

/// Feeds a view.
pub(super) struct Screen<'a> {
    live: &'a mut Live,
    pub(super) progress: Progress,
    planned: Vec<Fault>,
    /// The workers' records, once there are workers.
    pub(super) merged: Option<Arc<Mutex<Merged>>>,
    pub(super) done_faults: DoneFaults,
    /// When the load starts, once that is known.
    pub(super) start: Option<Instant>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(
        live: &'a mut Live,
        scenario: &Scenario,
        repeat: u32,
        workers: usize,
        connections: usize,
    ) -> Self {
        let progress = Progress {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            repeat: repeat + 1,
            repeats: scenario.repeats,
            length: scenario.length(),
            connections_wanted: connections as u64,
            workers,
            ..Progress::default()
        };
        Self {
            live,
            progress,
            planned: scenario.faults.clone(),
            merged: None,
            done_faults: DoneFaults::default(),
            start: None,
        }
    }

    /// Shows the current state.
    pub(super) fn show(&mut self) -> UserRequest {
        if let Some(merged) = &self.merged {
            let merged = merged.lock();
            self.progress.series = merged.newest(SECONDS);
            self.progress.counts.clone_from(&merged.counts);
            self.progress.times = merged.times();
            self.progress.errors.clone_from(&merged.errors);
        }
        self.progress.elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.progress.faults = self.faults();
        self.live.show(&self.progress)
    }

    pub(super) fn done(&mut self) {
        self.progress.phase = Phase::Done;
        self.show();
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
