//! Faults on cue, and how the cluster healed. The scenario decides which faults there are; `cluster` kills and starts
//! servers.

mod command;
mod heal;
mod run;

#[cfg(test)]
mod real_tests;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

pub(crate) use heal::heal;
pub(crate) use run::run;

/// The faults that were done so far, in the order in which they were. A scenario's check bounds their number.
pub(crate) type DoneFaults = Arc<Mutex<Vec<DoneFault>>>;

/// A fault, or the end of one, that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DoneFault {
    /// When it was begun, since the start of the load.
    pub(crate) at: Duration,
    /// For example `kill n2` or `n2 started again`.
    pub(crate) what: String,
    /// Why it failed, if so.
    pub(crate) error: Option<String>,
    /// Whether it undoes a fault: a start, a thaw, an undrain. Undoing a fault does not end its recovery window.
    pub(crate) is_undo: bool,
}
