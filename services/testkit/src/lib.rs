//! Clusters of real processes for the end-to-end tests in `tests/`: a redis-server, nodes of the real binary,
//! clients. Not a simulation, and nothing here is linked into a node.

mod cluster;
mod load;
mod node;
mod oracle;
mod proxy;
mod redis;
mod wait;

pub use cluster::{Cluster, SECRET, claims, payload, token};
pub use load::{Load, LoadPlan, Speaker};
pub use node::{NodeProcess, binary};
pub use oracle::{ClientNo, Heal, Oracle, Verdict};
pub use proxy::{ConnectionInfo, FaultProxy, Side};
pub use redis::RedisServer;
pub use wait::{PATIENCE, wait_until};

/// A port that nobody listens on at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
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
