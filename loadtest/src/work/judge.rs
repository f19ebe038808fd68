//! Where offences are noted: counted, and the first of them told as stories.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::record::{Counter, Recorder};

/// Stories kept.
const MAX_STORIES: usize = 20;

/// Notes offences, and everything else by way of the recorder.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) recorder: Arc<Recorder>,
    stories: Mutex<Vec<String>>,
}

impl Judge {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            stories: Mutex::default(),
        }
    }

    /// An offence.
    pub(crate) fn offence(&self, counter: Counter, story: impl FnOnce() -> String) {
        self.recorder.count(counter);
        let mut stories = self.stories.lock();
        if stories.len() < MAX_STORIES {
            stories.push(format!("{}: {}", counter.name(), story()));
        }
    }

    /// The stories so far.
    pub(crate) fn stories(&self) -> Vec<String> {
        self.stories.lock().clone()
    }
}
