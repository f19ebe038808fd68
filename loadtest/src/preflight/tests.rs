//! Machines that do not exist, and what they can do.

use super::*;

const MACHINE: Machine = Machine {
    open_files: (20_000, 20_000),
    ports: (32_768, 60_999),
    memory_kib: 24 << 20,
};
const FEW_FILES: Machine = Machine {
    open_files: (1_024, 524_288),
    ..MACHINE
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
/// Towards two addresses on other machines.
const FAR: Need = Need {
    loopback: false,
    nodes: 0,
    destinations: 2,
    ..NEED
};

const fn need(connections: usize) -> Need {
    Need { connections, ..NEED }
}

#[test]
fn workers_and_source_addresses_follow_from_connections_and_limits() {
    for (need, machine, workers, spread) in [
        (need(60_000), MACHINE, 4, true),
        (need(100), MACHINE, 1, false),
        (need(2_000), FEW_FILES, 3, false),
        (
            Need {
                workers: 3,
                ..need(100)
            },
            MACHINE,
            3,
            false,
        ),
        (
            Need {
                connections: 50_000,
                ..FAR
            },
            MACHINE,
            3,
            false,
        ),
    ] {
        let problems = Vec::new();
        assert_eq!(
            judge(&need, &machine),
            Preflight {
                workers,
                spread,
                problems
            },
            "{need:?}"
        );
    }
}

#[test]
fn every_problem_is_reported_with_its_fix() {
    let narrow = Machine {
        ports: (60_000, 60_999),
        ..MACHINE
    };
    let small = Machine {
        memory_kib: 512 << 10,
        ..MACHINE
    };
    let cases: [(Need, Machine, &[&str]); 10] = [
        (
            need(8_000),
            FEW_FILES,
            &[
                "each of 4 nodes would hold 2000 connections",
                "`ulimit -n 65536`",
                "`nodes` in `[cluster]` to 11",
            ],
        ),
        (
            Need { workers: 2, ..NEED },
            MACHINE,
            &[
                "each of 2 workers would hold 30000",
                "`workers` in `[generator]` to 4",
            ],
        ),
        (
            Need {
                workers: 65,
                ..need(100)
            },
            MACHINE,
            &["leave it out"],
        ),
        (need(2_000_000), MACHINE, &["112 workers"]),
        (
            need(100_000),
            FEW_FILES,
            &["105 workers are more than the 64 that one machine can use; fix: run `ulimit -n 65536` before"],
        ),
        (
            Need {
                nodes: 2,
                nodes_down: 1,
                ..need(30_000)
            },
            MACHINE,
            &[
                "each of 1 nodes would hold 30000 connections while 1 are down",
                "as root",
            ],
        ),
        (FAR, MACHINE, &["60000 ports", "net.ipv4.ip_local_port_range"]),
        (
            Need {
                churn_per_second: 1_000.0,
                connections: 10,
                ..FAR
            },
            MACHINE,
            &["60010 ports"],
        ),
        (need(10_000), narrow, &["1000 ports"]),
        (NEED, small, &["about 1582 MiB", "512 MiB are free"]),
    ];
    for (need, machine, expected) in cases {
        let found = judge(&need, &machine).problems.join("\n");
        assert!(
            expected.iter().all(|part| found.contains(part)),
            "{need:?}: {found}"
        );
    }
    let no_limit_helps = judge(&Need { workers: 2, ..NEED }, &MACHINE).problems.join("\n");
    assert!(!no_limit_helps.contains("ulimit"), "{no_limit_helps}");
}

#[test]
fn this_machine_can_hold_ten_connections() {
    let found = check(&need(10));
    assert_eq!((found.workers, found.problems), (1, Vec::new()));
}
