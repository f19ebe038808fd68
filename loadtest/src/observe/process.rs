//! What the kernel says of a process: memory, CPU time to the nanosecond, open files.

use std::{fs, time::Duration};

use anyhow::Context as _;
use nix::{time::ClockId, unistd::Pid};
pub(crate) use switchboard_harness::resident_kib;

use crate::record::WorkerUsage;

/// CPU time of the whole process so far, user and system, as the scheduler counts it: exact, where the ticks of
/// `/proc/<pid>/stat` are 10 ms, and with the threads that have ended, which `/proc/<pid>/task/*/schedstat` forgets
/// (`/proc/<pid>/schedstat` is the main thread alone).
///
/// # Errors
/// When the process is gone.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid)?));
    let time = clock.and_then(ClockId::now);
    Ok(time.with_context(|| format!("process {pid} is gone"))?.into())
}

/// How many files it has open.
///
/// # Errors
/// When the process is gone.
pub(crate) fn open_files(pid: u32) -> anyhow::Result<u64> {
    let folder = format!("/proc/{pid}/fd");
    // The size is their number since Linux 6.2; to list 18,000 of them each second would be work.
    let size = fs::metadata(&folder)
        .with_context(|| format!("process {pid} is gone"))?
        .len();
    if size > 0 {
        return Ok(size);
    }
    Ok(u64::try_from(fs::read_dir(&folder)?.count())?)
}

/// CPU time of this process up to a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CpuMark(Duration);

impl CpuMark {
    /// Up to now; up to the start of the process where the clock cannot be read.
    pub(crate) fn now() -> Self {
        Self(cpu(std::process::id()).unwrap_or_default())
    }
}

/// What this process used since the mark, which is moved to now. 0 stands for what cannot be read.
pub(crate) fn own(since: &mut CpuMark) -> WorkerUsage {
    let (pid, now) = (std::process::id(), CpuMark::now());
    let used = now.0.saturating_sub(since.0);
    *since = now;
    WorkerUsage {
        cpu_micros: used.as_secs_f64() * 1e6,
        resident_kib: resident_kib(pid).unwrap_or_default(),
        open_files: open_files(pid).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, time::Instant};

    use super::*;

    fn work(least: Duration) {
        let start = Instant::now();
        let mut sum = 0_u64;
        while start.elapsed() < least {
            sum = black_box(sum.wrapping_add(1));
        }
    }

    #[test]
    fn the_cpu_time_of_threads_that_have_ended_is_counted() {
        let mut mark = CpuMark::now();
        std::thread::spawn(|| work(Duration::from_millis(50)))
            .join()
            .unwrap();
        let used = own(&mut mark);
        // A busy machine may have given the thread a part of its time only.
        assert!(used.cpu_micros > 5_000.0, "{used:?}");
        assert!(used.resident_kib > 500.0, "{used:?}");
    }

    #[test]
    fn an_opened_file_is_counted() {
        // Other tests open and close files at the same time, so many are opened.
        let before = open_files(std::process::id()).unwrap();
        let files: Vec<_> = (0..300).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        assert!(open_files(std::process::id()).unwrap() >= before + 200);
        drop(files);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(cpu(pid).is_err());
        assert!(resident_kib(pid).is_err());
    }
}
