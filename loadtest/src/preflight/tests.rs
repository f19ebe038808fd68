//! Machines that do not exist, and what they can do.

use super::*;

const MACHINE: Machine = Machine {
    open_files: (20_000, 20_000),
    ports: (32_768, 60_999),
    memory_kib: 24 << 20,
};
const NEED: Need = Need {
    connections: 60_000,
    churn_per_second: 0.0,
    workers: 0,
    destinations: 4,
    loopback: true,
    nodes: 4,
    nodes_down: 0,
};

/// The result for `NEED` and `MACHINE` with the changes of `text`.
fn found(text: &str) -> Preflight {
    let (mut need, mut machine) = (NEED, MACHINE);
    for change in text.split_whitespace() {
        let (key, value) = change.split_once('=').unwrap_or((change, "0"));
        let value: usize = value.parse().unwrap();
        match key {
            "connections" => need.connections = value,
            "churn" => need.churn_per_second = value as f64,
            "workers" => need.workers = value,
            "nodes" => need.nodes = value,
            "nodes-down" => need.nodes_down = value,
            // Two addresses on other machines.
            "far" => (need.loopback, need.nodes, need.destinations) = (false, 0, 2),
            "few-files" => machine.open_files = (1_024, 524_288),
            "few-ports" => machine.ports = (60_000, 60_999),
            "memory-mib" => machine.memory_kib = wide(value) << 10,
            _ => panic!("{change}"),
        }
    }
    assess(&need, &machine)
}

#[test]
fn workers_and_source_addresses_follow_from_connections_and_limits() {
    for (changes, workers, spread) in [
        ("", 4, true),
        ("connections=100", 1, false),
        ("connections=2000 few-files", 3, false),
        ("connections=100 workers=3", 3, false),
        ("connections=50000 far", 3, false),
    ] {
        let found = found(changes);
        assert_eq!(
            (found.workers, found.spread, found.problems),
            (workers, spread, Vec::new()),
            "{changes}"
        );
    }
}

#[test]
fn every_problem_is_reported_with_its_fix() {
    let table = "
        connections=8000 few-files | each of 4 nodes would hold 2000 connections | `ulimit -n 65536` | `[cluster]` to 11
        workers=2 | each of 2 workers would hold 30000 | `workers` in `[generator]` to 4
        connections=100 workers=65 | leave it out
        connections=2000000 | 112 workers
        connections=100000 few-files | 105 workers are more than the 64 | fix: run `ulimit -n 65536` before
        connections=30000 nodes=2 nodes-down=1 | each of 1 nodes would hold 30000 connections while 1 are down | as root
        far | 60000 ports | net.ipv4.ip_local_port_range
        far connections=10 churn=1000 | 60010 ports
        connections=10000 few-ports | 1000 ports
        memory-mib=512 | about 1582 MiB | 512 MiB are free";
    for line in table.trim().lines() {
        let (changes, expected) = line.split_once(" | ").unwrap();
        let problems = found(changes).problems.join("\n");
        assert!(
            expected.split(" | ").all(|part| problems.contains(part)),
            "{line}: {problems}"
        );
    }
    let no_limit_helps = found("workers=2").problems.join("\n");
    assert!(!no_limit_helps.contains("ulimit"), "{no_limit_helps}");
}

#[test]
fn this_machine_can_hold_ten_connections() {
    let found = check(&Need {
        connections: 10,
        ..NEED
    });
    assert_eq!((found.workers, found.problems), (1, Vec::new()));
}
