//! What the machine and the servers say of themselves: /proc, /metrics, versions; and what follows from it. Not what
//! the clients see: that is `record`.

mod costs;
mod environment;
mod limits;
mod metrics;
mod ops;
mod process;
mod watch;

pub(crate) use costs::costs;
pub(crate) use environment::environment;
pub(crate) use limits::{available_memory_kib, ephemeral_ports, open_files_limits};
pub(crate) use ops::Ops;
pub(crate) use process::{CpuMark, cpu, own};
pub(crate) use watch::{Watch, Watched};
