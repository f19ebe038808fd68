//! Rooms, seen from outside: real nodes, a real Redis, and clients that keep rosters. After each fault, every roster and
//! Redis agree with who is really a member. `SWITCHBOARD_LONG=1` makes the churn a minute long.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod bus;
mod churn;
mod large;
mod member;
mod resume;
mod slow;
mod truth;

use tokio::sync::{Mutex, MutexGuard};

/// One test at a time: each loads the machine, and some measure time.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

fn is_long() -> bool {
    std::env::var_os("SWITCHBOARD_LONG").is_some()
}
