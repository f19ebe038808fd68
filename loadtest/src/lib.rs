//! The load generator of Switchboard: many simulated peers that set up calls, an oracle that checks every message,
//! faults on cue, and reports. It loads Switchboard and, for comparison, other servers; it is never part of a node.
//!
//! The way of a run: `scenario` says what, `cluster` starts servers if none are named, `fleet` starts workers,
//! which do the `work` through a `driver` and `record` what they see; `faults` strike, `observe` looks at the
//! servers; the merged `results` meet their `thresholds` and end in a `report`.

mod bench;
mod capacity;
pub mod cli;
mod cluster;
mod compare;
pub mod drivers;
mod faults;
pub mod fleet;
mod live;
mod observe;
mod preflight;
pub mod record;
mod report;
pub mod results;
mod run;
pub mod scenario;
mod thresholds;
mod work;
