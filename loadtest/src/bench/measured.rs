//! What was measured, and the counters in it.

use super::plan::Row;
use crate::{
    record::Counter,
    results::{Results, RunResult},
};

/// What was measured in a group, row by row; `None` for a server that is not installed.
pub(super) type Measured<'a> = Vec<(&'a Row, Option<Results>)>;

/// How often `run` counted that.
pub(super) fn count(run: &RunResult, counter: Counter) -> u64 {
    run.counts.get(counter.name()).copied().unwrap_or_default()
}
