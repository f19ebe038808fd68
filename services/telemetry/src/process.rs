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
        if let Some(files) = open_files() {
            self.open_files.set(i64::try_from(files).unwrap_or(i64::MAX));
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

/// Linux 6.2 and later say the number as the size of the folder. Reading its entries takes a microsecond each, and a node has
/// one for every connection.
fn open_files() -> Option<u64> {
    let size = std::fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 {
        return Some(size);
    }
    u64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn every_open_file_is_counted() {
        const MORE: u64 = 500;
        let before = open_files().unwrap();
        let files: Vec<File> = (0..MORE).map(|_| File::open("/dev/null").unwrap()).collect();
        let after = open_files().unwrap();
        drop(files);
        // Tests of other threads open a few files, too.
        let difference = (after - before).abs_diff(MORE);
        assert!(difference < MORE / 10, "{before} and {after} open files");
    }
}
