//! Metrics of the process from `/proc`, under the standard names of Prometheus clients. They are read when metrics are
//! rendered. Outside Linux the values stay 0.

use prometheus::{Counter, IntGauge, Registry, Result};

/// Bytes of a page, the unit of `/proc/self/statm`.
const PAGE_BYTES: i64 = 4096;

/// Ticks per second in `/proc/self/stat`; Linux fixes 100 for user space.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Process {
    resident: IntGauge,
    open_files: IntGauge,
    cpu_seconds: Counter,
}

impl Process {
    pub(crate) fn register(registry: &Registry) -> Result<Self> {
        let resident = IntGauge::new("process_resident_memory_bytes", "Resident memory size in bytes.")?;
        let open_files = IntGauge::new("process_open_fds", "Number of open file descriptors.")?;
        let cpu_seconds = Counter::new(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
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
            // Two renders at once may both add the difference of an older value; the next one then adds nothing.
            let added = ticks / TICKS_PER_SECOND - self.cpu_seconds.get();
            self.cpu_seconds.inc_by(added.max(0.0));
        }
    }
}

/// The resident memory of this process in bytes; `None` where the system does not say.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    u64::try_from(resident_pages()? * PAGE_BYTES).ok()
}

fn resident_pages() -> Option<i64> {
    std::fs::read_to_string("/proc/self/statm")
        .ok()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Fields 14 and 15 of proc(5). The count starts after the name, because the name may hold spaces.
fn cpu_ticks() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
