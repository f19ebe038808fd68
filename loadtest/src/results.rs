//! The document of a finished load: what reports, `compare` and other programs read. Its JSON form is a contract,
//! written down in `docs/loadtest-results.md`; a change that breaks readers raises [`SCHEMA`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::ErrorTally;

/// The version of the document.
pub const SCHEMA: u32 = 1;

/// A finished load, with all its repeats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// When it began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The scenario as it was run, overrides included. It holds no secrets, only names of files.
    pub scenario: serde_json::Value,
    /// Where it was run.
    pub environment: Environment,
    /// Each repeat.
    pub runs: Vec<RunResult>,
}

/// The machine and the programs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Version of this program.
    pub version: String,
    /// The commit it was built from, if known.
    pub commit: Option<String>,
    /// The processor's name.
    pub cpu: String,
    /// Its cores, as many as this program may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Kernel and its version.
    pub kernel: String,
    /// Open files allowed for a process.
    pub open_files_limit: u64,
    /// Versions of the servers by name, such as `redis` → `7.0.15`.
    pub servers: BTreeMap<String, String>,
    /// What was the same and what was not between compared servers: payloads, cores, configuration.
    pub notes: Vec<String>,
}

/// One repeat.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunResult {
    /// Which kind of server (`switchboard`, `peerjs` …).
    pub driver: String,
    /// From the start of the load to its end, without the ramp before and the settling after, in seconds.
    pub load_s: f64,
    /// How often each thing happened, by [`Counter::name`](crate::record::Counter::name).
    pub counts: BTreeMap<String, u64>,
    /// What took how long, by [`Metric::name`](crate::record::Metric::name).
    pub times: BTreeMap<String, Times>,
    /// What went wrong, by text.
    pub errors: ErrorTally,
    /// The course of it, a second each.
    pub series: Vec<Second>,
    /// What was done to the cluster, and how it healed.
    pub faults: Vec<FaultResult>,
    /// What each server used.
    pub servers: Vec<ServerUse>,
    /// Figures derived from it: `kib_per_idle_connection`, `cpu_us_per_message`, `messages_per_second_per_core` … .
    pub costs: BTreeMap<String, f64>,
    /// What the generator used.
    pub generator: GeneratorUse,
    /// The violations of the first offences that the oracle found.
    pub violations: Vec<String>,
    /// What was to hold, and whether it did.
    pub thresholds: Vec<ThresholdResult>,
    /// The end of it.
    pub verdict: RunVerdict,
}

/// One metric's times.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Times {
    /// From the moment each should have begun.
    pub corrected: Summary,
    /// From the moment each did begin.
    pub uncorrected: Summary,
}

/// A histogram and what is read off it, in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Times recorded.
    pub count: u64,
    /// The shortest.
    pub min_us: f64,
    /// The average.
    pub mean_us: f64,
    /// The median.
    pub p50_us: f64,
    /// 90 % were at most this.
    pub p90_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
    /// The histogram itself, in nanoseconds: HdrHistogram V2, deflated, base64.
    pub histogram: String,
}

/// One second of the load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in seconds since the start of the load; below 0 during the ramp.
    pub at_s: f64,
    /// How often each thing happened in it.
    pub counts: BTreeMap<String, u64>,
    /// Corrected times of what happened in it, by metric: p50, p99 and the longest, in microseconds.
    pub times: BTreeMap<String, Quantiles>,
    /// Connections at its end, by node.
    pub connected: BTreeMap<String, u64>,
    /// Calls under way at its end.
    pub calls_under_way: u64,
    /// CPU of each server in it, in cores.
    pub server_cores: BTreeMap<String, f64>,
    /// CPU of the generator in it, in cores.
    pub generator_cores: f64,
}

/// Three quantiles, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub p50_us: f64,
    /// 99 % were at most this.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// What was done to the cluster, and how it healed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FaultResult {
    /// When it was done, in seconds since the start of the load.
    pub at_s: f64,
    /// What, such as `kill n1`.
    pub what: String,
    /// Why it could not be done, if so.
    pub error: Option<String>,
    /// Connections before.
    pub connected_before: u64,
    /// The fewest connections after it and before the next one.
    pub connected_min: u64,
    /// From the fault until the first connection was lost or the first error was told, in seconds.
    pub detected_s: Option<f64>,
    /// From the fault until as many were connected as before, in seconds.
    pub reconnected_s: Option<f64>,
    /// Connections after it: seconds since the fault, connections. Ten a second.
    pub curve: Vec<(f64, u64)>,
    /// The most loaded node's connections over the mean, at the end of the curve.
    pub imbalance: Option<f64>,
}

/// What one server used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerUse {
    /// `n1`, `redis` … .
    pub name: String,
    /// CPU time over the load, in seconds.
    pub cpu_s: f64,
    /// Resident memory before the first connection, in KiB.
    pub resident_before_kib: f64,
    /// The most during the load, in KiB.
    pub resident_max_kib: f64,
    /// At the end of the load, before anybody leaves, in KiB.
    pub resident_after_kib: f64,
    /// Connections it held at the end of the load.
    pub connections: u64,
    /// What its `/metrics` counted over the load, by series; only where it changed.
    pub metrics: BTreeMap<String, f64>,
}

/// What the generator used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GeneratorUse {
    /// Worker processes or agents.
    pub workers: usize,
    /// CPU time of all of them over the load, in seconds.
    pub cpu_s: f64,
    /// Of the busiest one, as a share of one core.
    pub busiest_core_share: f64,
    /// The most resident memory of all of them together, in KiB.
    pub resident_max_kib: f64,
    /// 99 % of starts were at most this late, in microseconds.
    pub start_delay_p99_us: f64,
    /// The share of starts that were dropped.
    pub dropped_share: f64,
}

/// What was to hold, and whether it did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As written in the scenario.
    pub text: String,
    /// What was measured, in words; such as `38.2ms`, or why there is nothing.
    pub measured: String,
    /// Whether it held.
    pub is_met: bool,
}

/// The end of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunVerdict {
    /// 0 ok, 97 generator saturated or invalid, 98 oracle, 99 threshold.
    pub exit_code: u8,
    /// Why, a sentence each; empty if all is well.
    pub reasons: Vec<String>,
}
