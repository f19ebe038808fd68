//! Whether the kernel has stopped a process, from /proc (proc_pid_stat(5)). Not the signal that stops it (`process`).

use std::fs;

/// Whether every thread of `pid` is stopped.
///
/// `kill` returns before that: one thread takes the signal and stops the others, and on a busy machine they run on for
/// milliseconds.
pub(crate) fn is_stopped(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat"));
        stat.is_ok_and(|stat| state(&stat) == Some('T'))
    })
}

/// The state, one character. The name before it stands in parentheses and may contain anything.
fn state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_a_name_of_any_form() {
        assert_eq!(state("7 (redis-server) S 1 7"), Some('S'));
        assert_eq!(state("7 (a) T (b) T 1"), Some('T'));
        assert_eq!(state("7 redis"), None);
    }

    #[test]
    fn this_process_runs() {
        assert!(!is_stopped(std::process::id().cast_signed()));
    }
}
