//! The limit of open files of the process: raised at start, and shared out. The public port leaves the last files to the
//! operations port and to the bus. Not the bound of connections (`limits.connections`).

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that the public port leaves free: connections of the operations port, and connections to Redis that are made
/// anew. Under a small limit it leaves a quarter of it.
const RESERVED_FILES: u64 = 96;

/// Files that a node has open without clients.
const OWN_FILES: u64 = 32;

/// The limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileLimit(u64);

impl FileLimit {
    /// Raises the soft limit to the hard limit.
    pub(crate) fn raise() -> Self {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
            return Self(u64::MAX);
        };
        if soft < hard
            && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        {
            tracing::warn!(%error, soft, hard, "the soft limit of open files could not be raised");
            return Self(soft);
        }
        Self(hard)
    }

    /// The first number of a file that a client's connection may not have. The kernel gives the lowest free number.
    pub(crate) fn first_reserved(self) -> i32 {
        i32::try_from(self.0 - self.reserved()).unwrap_or(i32::MAX)
    }

    /// Warns where the files end before `connections` clients are there.
    pub(crate) fn warn_below(self, connections: usize) {
        let needed = connections as u64 + self.reserved() + OWN_FILES;
        if needed > self.0 {
            tracing::warn!(
                open_files = self.0,
                needed,
                "the limit of open files ends connections before limits.connections = {connections}; raise it \
                 (LimitNOFILE, ulimit -Hn), or lower limits.connections"
            );
        }
    }

    fn reserved(self) -> u64 {
        RESERVED_FILES.min(self.0 / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_files_are_kept_and_of_few_files_a_quarter() {
        assert_eq!(FileLimit(100).first_reserved(), 75);
        assert_eq!(FileLimit(1_024).first_reserved(), 928);
        assert_eq!(FileLimit(u64::MAX).first_reserved(), i32::MAX);
    }
}
