//! How much memory a process holds, as the kernel says (proc_pid_status(5)). Not its CPU time or files.

use std::fs;

use anyhow::Context as _;

/// Resident memory, in KiB (`VmRSS`).
///
/// # Errors
/// When the process is gone.
pub fn resident_kib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.with_context(|| format!("process {pid} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    // A process that has ended and was not waited for has no memory.
    let line = line.with_context(|| format!("process {pid} has ended"))?;
    Ok(line.trim().trim_end_matches(" kB").trim_end().parse()?)
}
