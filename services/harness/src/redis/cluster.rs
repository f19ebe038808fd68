//! A Redis Cluster: the servers are introduced to each other, get their slots, and follow their masters.

use std::{ffi::OsString, time::Duration};

use super::{
    DeploymentOptions, RedisServer,
    roles::{Role, role},
};
use crate::{Port, wait::Wait};

/// Slots of every Redis Cluster.
pub(super) const SLOTS: usize = 16_384;

/// How long the servers may take to agree. A master that starts takes no writes for its first two seconds.
const FORMED_WITHIN: Duration = Duration::from_secs(30);

/// The arguments of a member, with a port of its own for the others.
pub(super) fn arguments(bus: &Port, options: &DeploymentOptions) -> Vec<OsString> {
    let timeout_ms = options.cluster_node_timeout.as_millis().to_string();
    let (bus, tls) = (bus.number().to_string(), options.server.tls.is_some());
    let words = [
        ("--cluster-enabled", "yes"),
        ("--cluster-config-file", "nodes.conf"),
        ("--cluster-port", &bus),
        ("--cluster-node-timeout", &timeout_ms),
        ("--tls-cluster", if tls { "yes" } else { "no" }),
        // By default a replica is sent its master's data after five seconds.
        ("--repl-diskless-sync-delay", "0"),
    ];
    words
        .iter()
        .flat_map(|(name, value)| [OsString::from(name), OsString::from(value)])
        .collect()
}

/// Makes a cluster of servers that are empty: the first `masters` get the slots, the others follow them in turn. Waits
/// until every server takes part and every replica has its master's data.
///
/// # Errors
/// When a server does not answer, or they do not agree in time.
pub(super) async fn form(servers: &[RedisServer], buses: &[u16], masters: usize) -> anyhow::Result<()> {
    let mut ids = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let mut connection = server.connect().await?;
        if number < masters {
            let (first, after) = (SLOTS * number / masters, SLOTS * (number + 1) / masters);
            let (first, last) = (first.to_string(), (after - 1).to_string());
            connection
                .ask::<String>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])
                .await?;
        }
        // Servers of one epoch would first have to find out who is right.
        let epoch = (number + 1).to_string();
        connection
            .ask::<String>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])
            .await?;
        ids.push(connection.ask::<String>(&["CLUSTER", "MYID"]).await?);
    }
    // Everybody to everybody: to hear of the others from others takes seconds.
    for (number, server) in servers.iter().enumerate() {
        let mut connection = server.connect().await?;
        for (other, bus) in servers.iter().zip(buses).skip(number + 1) {
            let (port, bus) = (other.shared_port().to_string(), bus.to_string());
            connection
                .ask::<String>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
                .await?;
        }
    }
    let wait = Wait::new("the Redis Cluster is formed", FORMED_WITHIN);
    for (number, replica) in servers.iter().enumerate().skip(masters) {
        let master = ids.get((number - masters) % masters).map_or("", String::as_str);
        // Until it knows the master, it refuses.
        while let Err(error) = replica.command::<String>(&["CLUSTER", "REPLICATE", master]).await {
            wait.pause(&error.to_string()).await?;
        }
    }
    for (number, server) in servers.iter().enumerate() {
        while let Some(lacks) = lacks(server, number < masters, servers.len()).await {
            wait.pause(&format!("{}: {lacks}", server.name())).await?;
        }
    }
    Ok(())
}

/// Waits until every server knows every other. Their roles stay.
///
/// # Errors
/// When they do not agree in time.
pub(super) async fn until_all_know(servers: &[RedisServer]) -> anyhow::Result<()> {
    let wait = Wait::new("every member knows every other", FORMED_WITHIN);
    for server in servers {
        let is_master = matches!(role(server).await, Some(Role::Master(_)));
        while let Some(lacks) = lacks(server, is_master, servers.len()).await {
            wait.pause(&format!("{}: {lacks}", server.name())).await?;
        }
    }
    Ok(())
}

/// Why a server does not yet take part in a cluster of so many.
async fn lacks(server: &RedisServer, is_master: bool, members: usize) -> Option<String> {
    let info = server.command::<String>(&["CLUSTER", "INFO"]).await;
    let info = match info {
        Ok(info) => info,
        Err(error) => return Some(error.to_string()),
    };
    let known = format!("cluster_known_nodes:{members}");
    let has = |line: &str| info.lines().any(|own| own.trim_end() == line);
    if !has("cluster_state:ok") || !has(&known) {
        return Some(info.lines().take(6).collect::<Vec<_>>().join(" "));
    }
    let role = role(server).await;
    let is_right = match role {
        Some(Role::Master(_)) => is_master,
        Some(Role::Replica(_, is_connected)) => !is_master && is_connected,
        None => false,
    };
    (!is_right).then(|| format!("{role:?}"))
}
