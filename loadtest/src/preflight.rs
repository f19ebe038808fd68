//! Whether this machine can make the load, with the fix where it cannot; whether the targets may be loaded, and whether
//! they answer. It changes nothing.

mod remote;
mod sources;
mod target;

pub(crate) use remote::refuse_remote;
pub(crate) use sources::source;
pub(crate) use target::check_target;

use crate::observe::{ephemeral_ports, memory_kib, open_files_limits};
use sources::PER_SOURCE;

/// Connections that one worker process may hold, whatever the limits allow: beyond, one core is not enough for it.
const MAX_PER_WORKER: u64 = 18_000;

/// Worker processes of one machine.
const MAX_WORKERS: u64 = 64;

/// Files that a worker needs in addition to its connections.
const WORKER_FILES: u64 = 64;

/// Files that a node needs in addition to its clients: Redis, operations, logs, and clients that come while others go.
const NODE_FILES: u64 = 256;

/// Seconds for which a closed connection keeps its port (TIME_WAIT).
const PORT_IS_KEPT_S: u64 = 60;

/// Memory of an idle connection in a node, in KiB; `bench` measures it.
const NODE_KIB: u64 = 5;

/// Memory of a connection in a worker, in KiB: buffers and the oracle's notes. An estimate on the safe side.
const WORKER_KIB: u64 = 12;

/// Memory of one end of a connection in the kernel, in KiB. An estimate on the safe side.
const SOCKET_KIB: u64 = 5;

/// The share of free memory that a run may take, in percent.
const MEMORY_SHARE: u64 = 90;

/// Below so many connections, none but the usual source address is needed.
const SPREAD_FROM: u64 = 5_000;

/// What a run needs of the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Need {
    /// The most connections at once, over all workers.
    pub(crate) connections: usize,
    /// Connects a second that close again, for example calls and abuse; their ports stay taken for a minute.
    pub(crate) churn_per_second: f64,
    /// Worker processes; as many as are needed if 0.
    pub(crate) workers: usize,
    /// Addresses that the connections go to.
    pub(crate) destinations: usize,
    /// Whether all of these are on 127.0.0.1.
    pub(crate) loopback: bool,
    /// Nodes that are started for the run on this machine; 0 if others run them.
    pub(crate) nodes: usize,
    /// Nodes that faults take away at the same time; the others hold their connections too.
    pub(crate) nodes_down: usize,
}

/// What the machine has.
#[derive(Debug, Clone, Copy)]
struct Machine {
    /// Open files a process may have now, and may ask for.
    open_files: (u64, u64),
    /// The first and last port for outgoing connections.
    ports: (u16, u16),
    memory_kib: u64,
}

/// The result of the check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Preflight {
    /// Worker processes to use.
    pub(crate) workers: usize,
    /// Whether connections take their source address from [`source`]: one address has too few ports.
    pub(crate) spread: bool,
    /// All problems, each with its fix; none if the run can be made.
    pub(crate) problems: Vec<String>,
}

/// Checks this machine. An unknown limit is no problem.
pub(crate) fn check(need: &Need) -> Preflight {
    let machine = Machine {
        open_files: open_files_limits().unwrap_or((u64::MAX, u64::MAX)),
        ports: ephemeral_ports().unwrap_or((32_768, 60_999)),
        memory_kib: memory_kib("MemAvailable").unwrap_or(u64::MAX),
    };
    assess(need, &machine)
}

fn assess(need: &Need, machine: &Machine) -> Preflight {
    let connections = wide(need.connections);
    let (workers, problem) = workers(need, machine);
    let mut problems: Vec<_> = problem.into_iter().collect();
    problems.extend(node_files(need, machine));
    let spread = need.loopback && ports_taken(need) >= SPREAD_FROM;
    problems.extend(ports(need, machine, spread));
    let (node_kib, ends) = if need.nodes > 0 { (NODE_KIB, 2) } else { (0, 1) };
    let wanted_kib = connections.saturating_mul(node_kib + WORKER_KIB + ends * SOCKET_KIB);
    if wanted_kib > machine.memory_kib / 100 * MEMORY_SHARE {
        problems.push(format!(
            "{connections} connections take about {} MiB of memory, and {} MiB are free; fix: fewer connections, or \
             agents on other machines (`agents` in `[generator]`)",
            wanted_kib / 1024,
            machine.memory_kib / 1024
        ));
    }
    Preflight {
        workers: usize::try_from(workers).unwrap_or(1),
        spread,
        problems,
    }
}

fn workers(need: &Need, machine: &Machine) -> (u64, Option<String>) {
    let connections = wide(need.connections);
    let allowed = machine
        .open_files
        .0
        .saturating_sub(WORKER_FILES)
        .clamp(1, MAX_PER_WORKER);
    let needed = connections.div_ceil(allowed).max(1);
    let workers = if need.workers == 0 {
        needed
    } else {
        wide(need.workers)
    };
    if (needed..=MAX_WORKERS).contains(&workers) {
        return (workers, None);
    }
    let problem = if workers > MAX_WORKERS {
        let fix = if needed <= MAX_WORKERS {
            format!("set `workers` in `[generator]` to {needed}, or leave it out")
        } else if allowed < MAX_PER_WORKER {
            raise(machine, MAX_PER_WORKER + WORKER_FILES)
        } else {
            "agents on other machines (`agents` in `[generator]`)".to_owned()
        };
        format!("{workers} workers are more than the {MAX_WORKERS} that one machine can use; fix: {fix}")
    } else {
        let share = connections.div_ceil(workers);
        let files = if share <= MAX_PER_WORKER {
            format!(", or {}", raise(machine, share + WORKER_FILES))
        } else {
            String::new()
        };
        format!(
            "each of {workers} workers would hold {share} connections, and it can hold {allowed}; fix: set `workers` \
             in `[generator]` to {needed} or leave it out{files}"
        )
    };
    (workers, Some(problem))
}

/// Whether the nodes, which inherit this process' limits, can hold what comes when some of them are down.
fn node_files(need: &Need, machine: &Machine) -> Option<String> {
    if need.nodes == 0 {
        return None;
    }
    let nodes = wide(need.nodes);
    let left = nodes.saturating_sub(wide(need.nodes_down)).max(1);
    let files = wide(need.connections).div_ceil(left) + NODE_FILES;
    (files > machine.open_files.0).then(|| {
        let share = files - NODE_FILES;
        let room = machine.open_files.0.saturating_sub(NODE_FILES).max(1);
        let down = nodes - left;
        let enough = wide(need.connections).div_ceil(room) + down;
        let while_down = if down > 0 { format!(" while {down} are down") } else { String::new() };
        format!(
            "each of {left} nodes would hold {share} connections{while_down}, and a process may have only {} files \
             open; fix: {}, or set `nodes` in `[cluster]` to {enough}",
            machine.open_files.0,
            raise(machine, files)
        )
    })
}

/// Ports that are taken at the same time.
fn ports_taken(need: &Need) -> u64 {
    // As many as a day has seconds is beyond anything; the cast cannot surprise.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded just before"
    )]
    let churn = need.churn_per_second.clamp(0.0, 1e9).ceil() as u64;
    wide(need.connections) + churn * PORT_IS_KEPT_S
}

fn ports(need: &Need, machine: &Machine, spread: bool) -> Option<String> {
    let (first, last) = machine.ports;
    let ports = u64::from(last.saturating_sub(first)) + 1;
    let widen = "`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`";
    if spread {
        let per_source = wide(PER_SOURCE);
        return (ports < per_source).then(|| {
            format!(
                "the system has {ports} ports for outgoing connections, and {per_source} are used of each source \
                 address; fix: {widen}"
            )
        });
    }
    let room = ports.saturating_mul(wide(need.destinations.max(1)));
    let taken = ports_taken(need);
    (taken > room).then(|| {
        format!(
            "{taken} ports would be taken at once, by connections and for a minute after them, and there are {room} \
             to {} addresses; fix: {widen}, more addresses in `urls`, or agents on other machines (`agents` in \
             `[generator]`)",
            need.destinations.max(1)
        )
    })
}

/// How to be allowed so many files.
fn raise(machine: &Machine, files: u64) -> String {
    let round = files.next_power_of_two().max(65_536);
    if machine.open_files.1 >= files {
        format!("run `ulimit -n {}` before", round.min(machine.open_files.1))
    } else {
        format!(
            "run `ulimit -n {round}` before as root (or raise `nofile` in /etc/security/limits.conf; {} is the most \
             this process may ask for)",
            machine.open_files.1
        )
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
