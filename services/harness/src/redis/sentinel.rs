//! Three Sentinels that know a master, its replicas and each other from the start: they need not find them.

use std::{fmt::Write as _, path::Path, time::Duration};

use super::{DeploymentOptions, RedisOptions, RedisServer, server::Ports};
use crate::wait::Wait;

/// The name under which Sentinels know the master.
pub const SENTINEL_MASTER: &str = "mymaster";

/// Sentinels: as many as can lose one.
const SENTINELS: usize = 3;

/// How many of them must agree that the master is down.
const QUORUM: usize = 2;

/// How long they may take to reach each other.
const AGREE_WITHIN: Duration = Duration::from_secs(30);

/// A failover that has not succeeded is tried again after twice this.
const FAILOVER_WITHIN_MS: u32 = 3_000;

/// Starts the Sentinels of a master and its replicas, and waits until they agree.
///
/// # Errors
/// When they cannot be started, or do not reach each other in time.
pub(super) async fn start(
    folder: &Path,
    options: &DeploymentOptions,
    servers: &[RedisServer],
) -> anyhow::Result<Vec<RedisServer>> {
    let own = RedisOptions {
        program: options.server.program.clone(),
        password: options.sentinel_password.clone(),
        tls: options.server.tls.clone(),
        ..RedisOptions::default()
    };
    let ports = (0..SENTINELS)
        .map(|_| Ports::reserve(&own))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let numbers: Vec<_> = ports.iter().map(Ports::for_servers).collect();
    let mut sentinels = Vec::new();
    for (number, ports) in ports.into_iter().enumerate() {
        let name = format!("sentinel-{}", number + 1);
        // It writes what it learns into this file.
        let file = folder.join(format!("{name}.conf"));
        std::fs::write(&file, configuration(options, servers, &numbers, number))?;
        let first = vec![file.into(), "--sentinel".into()];
        sentinels.push(RedisServer::spawn(folder, &name, ports, &own, first)?);
    }
    for sentinel in &sentinels {
        sentinel.wait_ready().await?;
    }
    let wait = Wait::new("the Sentinels agree", AGREE_WITHIN);
    for sentinel in &sentinels {
        let check = ["SENTINEL", "CKQUORUM", SENTINEL_MASTER];
        while let Err(error) = sentinel.command::<String>(&check).await {
            wait.pause(&error.to_string()).await?;
        }
    }
    Ok(sentinels)
}

/// The file that Sentinel `number` starts with.
fn configuration(
    options: &DeploymentOptions,
    servers: &[RedisServer],
    sentinels: &[u16],
    number: usize,
) -> String {
    let mut text = format!("sentinel myid {}\n", id(number));
    let master = servers.first().map_or(0, RedisServer::shared_port);
    // Writing to a String does not fail.
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "sentinel {what} {SENTINEL_MASTER} {value}");
    };
    line("monitor", &format!("127.0.0.1 {master} {QUORUM}"));
    line(
        "down-after-milliseconds",
        &options.down_after.as_millis().to_string(),
    );
    line("failover-timeout", &FAILOVER_WITHIN_MS.to_string());
    line("parallel-syncs", "1");
    if let Some(password) = &options.server.password {
        line("auth-pass", password);
    }
    for replica in servers.iter().skip(1) {
        line("known-replica", &format!("127.0.0.1 {}", replica.shared_port()));
    }
    for (other, port) in sentinels.iter().enumerate().filter(|(other, _)| *other != number) {
        line("known-sentinel", &format!("127.0.0.1 {port} {}", id(other)));
    }
    if let Some(password) = &options.sentinel_password {
        text += &format!("sentinel sentinel-pass {password}\n");
    }
    text
}

/// What the Sentinels know each other by.
fn id(number: usize) -> String {
    format!("{:040x}", number + 1)
}
