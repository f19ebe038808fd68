//! What the machine and the servers report themselves (/proc, /metrics, versions), and the costs that follow from it.
//! `record` has what the clients measure.

mod costs;
mod environment;
mod limits;
mod metrics;
mod ops;
mod process;
mod watch;

pub(crate) use costs::costs;
pub(crate) use environment::environment;
pub(crate) use limits::{ephemeral_ports, memory_kib, open_files_limits};
pub(crate) use ops::Ops;
pub(crate) use process::{CpuMark, own};
pub(crate) use watch::{Watch, Watched};
