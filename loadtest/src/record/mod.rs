//! Counters and times of a running load, and the snapshot of one interval that a worker sends to the coordinator.
//! Their evaluation is in `results` and `thresholds`.

mod counter;
mod error_tally;
mod metric;
mod recorder;
mod tick;

pub use counter::{Counter, Counts};
pub use error_tally::{ErrorTally, MAX_ERRORS};
pub use metric::{HistogramPair, Metric};
pub use recorder::Recorder;
pub use switchboard_harness::stats::new_histogram;
pub use tick::{EncodedPair, Sample, Tick, WorkerUsage, decode, encode};
