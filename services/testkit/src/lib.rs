//! Clusters of real processes for the end-to-end tests in `tests/`: a redis-server, nodes of the real binary,
//! clients. Not a simulation, and nothing here is linked into a node.

mod cluster;
mod load;
mod node;
mod oracle;
mod proxy;
mod redis;
mod wait;

use std::{
    io::ErrorKind,
    sync::atomic::{AtomicU32, Ordering},
};

pub use cluster::{Cluster, SECRET, claims, payload, token};
pub use load::{Load, LoadPlan, Speaker};
pub use node::{NodeProcess, binary};
pub use oracle::{ClientNo, Heal, Oracle, Verdict};
pub use proxy::{ConnectionInfo, FaultProxy, Side};
pub use redis::RedisServer;
pub use wait::{PATIENCE, wait_until};

/// The ports given out: below those that systems use for outgoing connections (Linux: from 32768), so that none
/// of the many connections of a test sits on the port of a node that is down for a moment.
const PORTS: std::ops::Range<u16> = 16_384..32_768;

/// A port that nobody listens on at this moment, another one at each call.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Test programs that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(769);
    for _ in 0..count {
        let next = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(next).unwrap_or(0);
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

/// Sends a signal by name to a process that this one started.
fn signal(process: u32, name: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .status()?;
    anyhow::ensure!(status.success(), "kill -{name} failed");
    Ok(())
}
