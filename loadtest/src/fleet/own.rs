//! What this process itself uses, for its ticks. Not a look at servers.

use std::{fs, time::Duration};

use nix::time::{ClockId, clock_gettime};

use crate::record::Own;

/// Remembers the CPU time at its last reading.
#[derive(Debug)]
pub(crate) struct OwnMeter {
    cpu: Duration,
}

impl OwnMeter {
    /// Counts from now.
    pub(crate) fn new() -> Self {
        Self { cpu: cpu_time() }
    }

    /// What was used since the last reading. What the system does not tell is 0.
    pub(crate) fn read(&mut self) -> Own {
        let cpu = cpu_time();
        let used = cpu.saturating_sub(self.cpu);
        self.cpu = cpu;
        Own {
            cpu_micros: used.as_secs_f64() * 1e6,
            resident_kib: resident_kib().unwrap_or(0.0),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        }
    }
}

/// The CPU time of all threads, those that have ended too.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn resident_kib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_files_and_time() {
        let mut meter = OwnMeter::new();
        let mut sum = 0_u64;
        let own = loop {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
            let own = meter.read();
            if own.cpu_micros > 0.0 {
                break own;
            }
        };
        assert!(own.resident_kib > 100.0 && own.open_files > 2, "{own:?} {sum}");
    }
}
