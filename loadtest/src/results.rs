//! The document of a finished load, which reports, `compare` and other programs read. `docs/loadtest-results.md`
//! describes its JSON form; after the first release a change that breaks readers raises [`SCHEMA`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Counter, ErrorTally};

/// The version of the document.
pub const SCHEMA: u32 = 1;

/// A finished load, with all its repeats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name.
    pub name: String,
    /// Its purpose.
    pub about: String,
    /// Start time, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The scenario as it was run, with its overrides. It holds names of secret files but no secrets.
    pub scenario: serde_json::Value,
    /// The machine and the programs.
    pub environment: Environment,
    /// Each repeat.
    pub runs: Vec<RunResult>,
}

/// The machine and the programs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Version of this program.
    pub version: String,
    /// The commit of its build, if known.
    pub commit: Option<String>,
    /// The processor's name.
    pub cpu: String,
    /// Cores that this program may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Kernel and its version.
    pub kernel: String,
    /// Open files allowed for a process.
    pub open_files_limit: u64,
    /// Versions of the servers by name, for example `redis` → `7.0.15`.
    pub servers: BTreeMap<String, String>,
    /// Equal and different conditions of compared servers: payloads, cores, configuration.
    pub notes: Vec<String>,
}

/// One repeat.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunResult {
    /// Kind of server (`switchboard`, `peerjs` …).
    pub driver: String,
    /// Length of the load, without the ramp before and the settling after, in seconds.
    pub load_s: f64,
    /// The counters, by [`Counter::name`](crate::record::Counter::name).
    pub counts: BTreeMap<String, u64>,
    /// The times, by [`Metric::name`](crate::record::Metric::name).
    pub times: BTreeMap<String, Times>,
    /// The errors, by text.
    pub errors: ErrorTally,
    /// The timeline, one entry for each second.
    pub series: Vec<Second>,
    /// The faults, and the recovery from each.
    pub faults: Vec<FaultResult>,
    /// Resources of each server.
    pub servers: Vec<ServerUse>,
    /// Derived figures: `kib_per_idle_connection`, `cpu_us_per_message`, `messages_per_second_per_core` … .
    pub costs: BTreeMap<String, f64>,
    /// Resources of the generator.
    pub generator: GeneratorUse,
    /// The first violations that the oracle found, one sentence each.
    pub violations: Vec<String>,
    /// The thresholds, and whether they were met.
    pub thresholds: Vec<ThresholdResult>,
    /// The outcome of the run.
    pub verdict: RunVerdict,
}

impl RunResult {
    /// How often that was counted; a missing counter is 0.
    #[must_use]
    pub fn count(&self, counter: Counter) -> u64 {
        self.counts.get(counter.name()).copied().unwrap_or_default()
    }

    /// The kinds of violations that occurred, and how often each did.
    pub fn violated(&self) -> impl Iterator<Item = (Counter, u64)> {
        let counts = Counter::VIOLATIONS
            .iter()
            .map(|counter| (*counter, self.count(*counter)));
        counts.filter(|(_, count)| *count > 0)
    }
}

/// One metric's times.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Times {
    /// From the planned starts.
    pub corrected: Summary,
    /// From the actual starts.
    pub uncorrected: Summary,
}

/// A histogram and its summary, in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Times recorded.
    pub count: u64,
    /// Minimum.
    pub min_us: f64,
    /// Mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: f64,
    /// 90 % were at most this.
    pub p90_us: f64,
    /// 99 % were at most this.
    pub p99_us: f64,
    /// 99.9 % were at most this.
    pub p999_us: f64,
    /// Maximum.
    pub max_us: f64,
    /// The histogram itself, in nanoseconds: HdrHistogram V2, deflated, base64.
    pub histogram: String,
}

/// One second of the load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in seconds since the start of the load; below 0 during the ramp.
    pub at_s: f64,
    /// The counters of this second.
    pub counts: BTreeMap<String, u64>,
    /// Corrected times that ended in it, by metric.
    pub times: BTreeMap<String, Quantiles>,
    /// Connections at its end, by node.
    pub connected: BTreeMap<String, u64>,
    /// Calls under way at its end.
    pub calls_under_way: u64,
    /// CPU of each server, in cores.
    pub server_cores: BTreeMap<String, f64>,
    /// CPU of the generator, in cores.
    pub generator_cores: f64,
}

/// Three quantiles, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50_us: f64,
    /// 99 % were at most this.
    pub p99_us: f64,
    /// Maximum.
    pub max_us: f64,
}

/// A fault, and the recovery from it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FaultResult {
    /// Its time, in seconds since the start of the load.
    pub at_s: f64,
    /// The fault, for example `kill n1`.
    pub what: String,
    /// The reason if it could not be done.
    pub error: Option<String>,
    /// Connections before it.
    pub connected_before: u64,
    /// Minimum of connections after it and before the next fault.
    pub connected_min: u64,
    /// From the fault until the first lost connection or send error, in seconds.
    pub detected_s: Option<f64>,
    /// From the fault until as many were connected as before, in seconds.
    pub reconnected_s: Option<f64>,
    /// Connections after it, ten entries per second: seconds since the fault, connections.
    pub curve: Vec<(f64, u64)>,
    /// Connections of the most loaded node over the mean of all nodes, at the end of the curve.
    pub imbalance: Option<f64>,
}

/// Resources of one server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerUse {
    /// `n1`, `redis` … .
    pub name: String,
    /// CPU time over the load, in seconds.
    pub cpu_s: f64,
    /// Resident memory before the first connection, in KiB.
    pub resident_before_kib: f64,
    /// Maximum during the load, in KiB.
    pub resident_max_kib: f64,
    /// At the end of the load, before peers leave, in KiB.
    pub resident_after_kib: f64,
    /// Connections at the end of the load.
    pub connections: u64,
    /// Changes of its `/metrics` over the load, by series; without unchanged series.
    pub metrics: BTreeMap<String, f64>,
}

/// Resources of the generator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GeneratorUse {
    /// Worker processes or agents.
    pub workers: usize,
    /// CPU time of all workers over the load, in seconds.
    pub cpu_s: f64,
    /// CPU of the busiest worker, as a share of one core.
    pub busiest_core_share: f64,
    /// Maximum resident memory of all workers together, in KiB.
    pub resident_max_kib: f64,
    /// 99 % of the starts were at most this late, in microseconds.
    pub start_delay_p99_us: f64,
    /// Share of planned starts that were not made.
    pub dropped_share: f64,
}

/// A threshold, and whether it was met.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As written in the scenario.
    pub text: String,
    /// The measured value as text, for example `38.2ms`, or the reason why there is none.
    pub measured: String,
    /// Whether it was met.
    pub is_met: bool,
}

/// The outcome of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunVerdict {
    /// 0 passed, 97 invalid, 98 violation, 99 threshold missed.
    pub exit_code: u8,
    /// One sentence each; empty if the run passed.
    pub reasons: Vec<String>,
}
