//! What is counted and timed while a load runs: counters, times, and the snapshot of one interval that a worker
//! sends to whoever merges. Not what it means: that is for `results` and the thresholds.

mod counter;
mod error_tally;
mod metric;
mod recorder;
mod tick;

pub use counter::{Counter, Counts};
pub use error_tally::{ErrorTally, MAX_ERRORS};
pub use metric::{HistogramPair, Metric, new_histogram};
pub use recorder::Recorder;
pub use tick::{EncodedPair, Sample, Tick, WorkerUsage, decode, encode};
