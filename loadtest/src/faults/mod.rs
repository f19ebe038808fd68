//! Faults on cue, and how the cluster healed. Which faults there are is the scenario's; how a server is killed or
//! started is the cluster's.

mod command;
mod controls;
mod heal;
mod run;

#[cfg(test)]
mod real_tests;

use std::time::Duration;

pub(crate) use controls::Controls;
pub(crate) use heal::{crowds, heal};
pub(crate) use run::run;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Struck {
    /// When it was begun, since the start of the load.
    pub(crate) at: Duration,
    /// What, such as `kill n2` or `n2 started again`.
    pub(crate) what: String,
    /// Why it failed, if so.
    pub(crate) error: Option<String>,
    /// Whether it undoes a fault: a start, a thaw, an undrain. The time to heal goes on over it.
    pub(crate) is_relief: bool,
}
