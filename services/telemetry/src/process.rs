//! The process itself, as `/proc` shows it, under the names that Prometheus clients share. Read when
//! metrics are asked for. Elsewhere than on Linux the values stay 0.

use prometheus::{Gauge, IntGauge, Registry, Result};

/// Bytes of a page; `/proc/self/statm` counts in pages.
const PAGE_BYTES: i64 = 4096;

/// Ticks a second in `/proc/self/stat`; fixed at 100 for user space on Linux.
const TICKS_A_SECOND: f64 = 100.0;

pub(crate) struct Process {
    resident: IntGauge,
    open_files: IntGauge,
    cpu_seconds: Gauge,
}

impl Process {
    pub(crate) fn register(registry: &Registry) -> Result<Self> {
        let resident = IntGauge::new("process_resident_memory_bytes", "Resident memory.")?;
        let open_files = IntGauge::new("process_open_fds", "Open files and sockets.")?;
        let cpu_seconds = Gauge::new(
            "process_cpu_seconds_total",
            "CPU time of the process, in seconds.",
        )?;
        registry.register(Box::new(resident.clone()))?;
        registry.register(Box::new(open_files.clone()))?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        Ok(Self {
            resident,
            open_files,
            cpu_seconds,
        })
    }

    pub(crate) fn refresh(&self) {
        if let Some(pages) = resident_pages() {
            self.resident.set(pages * PAGE_BYTES);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_files
                .set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
        if let Some(ticks) = cpu_ticks() {
            self.cpu_seconds.set(ticks / TICKS_A_SECOND);
        }
    }
}

fn resident_pages() -> Option<i64> {
    std::fs::read_to_string("/proc/self/statm")
        .ok()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Fields 14 and 15 of proc(5); counted from behind the name, which may hold blanks.
fn cpu_ticks() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
