//! The load generator of Switchboard: many simulated peers that set up calls, an oracle that checks every message,
//! faults on cue, and reports. It loads Switchboard and, for comparison, other servers; it is never part of a node.
//!
//! A run: `scenario` describes it; `servers` starts a `cluster` unless the scenario names servers; `fleet` starts
//! workers, which do the `work` through `drivers` and `record` it; `faults` are done, `observe` samples the servers; the
//! merged `results` are compared with the `thresholds` and written as a `report`. `run` leads through these steps,
//! `capacity` and `bench` run several scenarios.

mod bench;
mod capacity;
pub mod cli;
mod cluster;
mod compare;
pub mod drivers;
mod exposition;
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
mod servers;
mod thresholds;
mod work;
