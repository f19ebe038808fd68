//! The load generator as a program: real binary, real nodes, real Redis. How each kind of run ends, what it says
//! and what it leaves behind. Not its parts, which are tested in its own crate, and no measurements: the bars are
//! such that a busy machine keeps them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod agents;
mod command_line;
mod faults;
mod program;
mod results;
mod stopped;
mod targets;
mod verdicts;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Loads at a time: each starts processes and keeps the machine busy.
const AT_ONCE: usize = 2;

/// A place for one load.
async fn place() -> SemaphorePermit<'static> {
    static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);
    PLACES.acquire().await.unwrap()
}
