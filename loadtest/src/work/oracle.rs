//! Where violations of the delivery contract are noted: counted, and the first of them described.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::record::{Counter, Recorder};

/// Descriptions kept.
const MAX_STORIES: usize = 20;

/// Notes violations, and everything else through the recorder.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) recorder: Arc<Recorder>,
    stories: Mutex<Vec<String>>,
}

impl Oracle {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            ..Self::default()
        }
    }

    /// Counts a violation; `story` describes it.
    pub(crate) fn violation(&self, counter: Counter, story: impl FnOnce() -> String) {
        self.recorder.count(counter);
        let mut stories = self.stories.lock();
        if stories.len() < MAX_STORIES {
            stories.push(format!("{}: {}", counter.name(), story()));
        }
    }

    /// The descriptions so far.
    pub(crate) fn stories(&self) -> Vec<String> {
        self.stories.lock().clone()
    }
}
