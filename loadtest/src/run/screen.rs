//! What the live view is given, kept up to date.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    faults::Struck,
    fleet::Merged,
    live::{FaultMark, FaultState, Live, Phase, Progress, UserRequest},
    scenario::{Fault, Scenario},
};

/// Seconds that the view looks back.
const SECONDS: usize = 240;

/// Feeds a view.
pub(super) struct Screen<'a> {
    live: &'a mut Live,
    progress: Progress,
    planned: Vec<Fault>,
    merged: Option<Arc<Mutex<Merged>>>,
    struck: Arc<Mutex<Vec<Struck>>>,
    start: Option<Instant>,
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
            struck: Arc::default(),
            start: None,
        }
    }

    /// Workers are there, and this is what they have seen.
    pub(super) fn follow(&mut self, merged: Arc<Mutex<Merged>>) {
        self.merged = Some(merged);
    }

    /// The load begins then, and this is what is done to the cluster.
    pub(super) fn starts(&mut self, at: Instant, struck: Arc<Mutex<Vec<Struck>>>) {
        self.start = Some(at);
        self.struck = struck;
    }

    pub(super) fn phase(&mut self, phase: Phase) {
        self.progress.phase = phase;
    }

    /// Shows how it stands.
    pub(super) fn show(&mut self) -> UserRequest {
        if let Some(merged) = &self.merged {
            let live = merged.lock().live(SECONDS);
            self.progress.series = live.seconds;
            self.progress.counts = live.counts;
            self.progress.times = live.times;
            self.progress.errors = live.errors;
        }
        self.progress.elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.progress.faults = self.faults();
        self.live.show(&self.progress)
    }

    pub(super) fn done(&mut self) {
        self.phase(Phase::Done);
        self.show();
    }

    fn faults(&self) -> Vec<FaultMark> {
        let struck = self.struck.lock();
        let done = struck.iter().map(|one| FaultMark {
            at: one.at,
            what: one.what.clone(),
            state: one.error.clone().map_or(FaultState::Done, FaultState::Failed),
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
