//! What the kernel says of a process: memory, and CPU time to the nanosecond.

use std::fs;

use anyhow::Context as _;

/// Resident memory, in KiB (proc(5), `VmRSS`).
pub(crate) fn resident_kib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Run time of all threads of a process so far, in microseconds, as the scheduler counts it. Exact, where the
/// ticks of `/proc/<pid>/stat` are 10 ms; threads that have ended are not in it, and a node's do not end.
pub(crate) fn cpu_micros(pid: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        nanoseconds += text
            .split(' ')
            .next()
            .and_then(|run| run.parse::<f64>().ok())
            .unwrap_or_default();
    }
    Ok(nanoseconds / 1e3)
}

/// CPU time of several processes over a span.
pub(crate) struct CpuMeter {
    pids: Vec<u32>,
    before: Vec<f64>,
}

impl CpuMeter {
    pub(crate) fn start(pids: &[u32]) -> anyhow::Result<Self> {
        let before = pids
            .iter()
            .map(|pid| cpu_micros(*pid))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            pids: pids.to_vec(),
            before,
        })
    }

    /// Microseconds since the start, summed over the processes.
    pub(crate) fn micros(&self) -> anyhow::Result<f64> {
        let spans = self.pids.iter().zip(&self.before);
        spans.map(|(pid, before)| Ok(cpu_micros(*pid)? - before)).sum()
    }
}
