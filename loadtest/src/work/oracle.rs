//! Where violations of the delivery contract are noted: counted, and the first of them described.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::record::{Counter, Recorder};

/// Descriptions kept.
const MAX_DESCRIPTIONS: usize = 20;

/// Notes violations, and everything else through the recorder.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) recorder: Arc<Recorder>,
    violations: Mutex<Vec<String>>,
}

impl Oracle {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            ..Self::default()
        }
    }

    /// Counts a violation; `describe` describes it.
    pub(crate) fn violation(&self, counter: Counter, describe: impl FnOnce() -> String) {
        self.recorder.count(counter);
        let mut violations = self.violations.lock();
        if violations.len() < MAX_DESCRIPTIONS {
            violations.push(format!("{}: {}", counter.name(), describe()));
        }
    }

    /// The descriptions so far.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().clone()
    }
}
