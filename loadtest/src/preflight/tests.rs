//! Machines that do not exist, and what they can do.

use super::*;

const MACHINE: Machine = Machine {
    open_files: (20_000, 20_000),
    ports: (32_768, 60_999),
    memory_kib: 24 << 20,
};

fn need(connections: usize) -> Need {
    Need {
        connections,
        churn_per_second: 0.0,
        workers: 0,
        destinations: 4,
        loopback: true,
        nodes: 4,
        nodes_down: 0,
    }
}

fn problem(need: &Need, machine: &Machine) -> String {
    judge(need, machine).problems.join("\n")
}

#[test]
fn sixty_thousand_connections_take_four_workers() {
    let found = judge(&need(60_000), &MACHINE);
    assert_eq!((found.workers, found.spread), (4, true));
    assert_eq!(found.problems, Vec::<String>::new());
}

#[test]
fn a_small_run_takes_one_worker_and_one_address() {
    let found = judge(&need(100), &MACHINE);
    assert_eq!((found.workers, found.spread), (1, false));
    assert_eq!(found.problems, Vec::<String>::new());
}

#[test]
fn a_low_limit_of_files_takes_more_workers_until_nodes_cannot() {
    let low = Machine {
        open_files: (1_024, 524_288),
        ..MACHINE
    };
    let found = judge(&need(2_000), &low);
    assert_eq!((found.workers, found.problems.len()), (3, 0));
    let problem = problem(&need(8_000), &low);
    assert!(
        problem.contains("each of 4 nodes would hold 2000 connections"),
        "{problem}"
    );
    assert!(problem.contains("`ulimit -n 65536`"), "{problem}");
    assert!(problem.contains("`nodes` in `[cluster]` to 11"), "{problem}");
}

#[test]
fn too_few_workers_are_told_how_many_it_takes() {
    let two = Need {
        workers: 2,
        ..need(60_000)
    };
    let problem = problem(&two, &MACHINE);
    assert!(
        problem.contains("each of 2 workers would hold 30000"),
        "{problem}"
    );
    assert!(problem.contains("`workers` in `[generator]` to 4"), "{problem}");
    assert!(!problem.contains("ulimit"), "no limit would help: {problem}");
}

#[test]
fn more_workers_than_needed_are_fine_but_not_any_number() {
    let with = |workers| Need { workers, ..need(100) };
    assert_eq!(judge(&with(3), &MACHINE).workers, 3);
    assert!(problem(&with(65), &MACHINE).contains("leave it out"));
    assert!(problem(&need(2_000_000), &MACHINE).contains("112 workers"));
    let low = Machine {
        open_files: (1_024, 524_288),
        ..MACHINE
    };
    assert!(problem(&need(100_000), &low).contains(
        "105 workers are more than the 64 that one machine can use; fix: run `ulimit -n 65536` before"
    ));
}

#[test]
fn nodes_that_go_down_leave_their_connections_to_the_others() {
    let fault = Need {
        nodes: 2,
        nodes_down: 1,
        ..need(30_000)
    };
    let problem = problem(&fault, &MACHINE);
    assert!(
        problem.contains("each of 1 nodes would hold 30000 connections while 1 are down"),
        "{problem}"
    );
    assert!(
        problem.contains("as root"),
        "the hard limit is in the way: {problem}"
    );
}

#[test]
fn ports_run_out_towards_few_addresses_elsewhere() {
    let far = Need {
        loopback: false,
        nodes: 0,
        destinations: 2,
        ..need(60_000)
    };
    let found = problem(&far, &MACHINE);
    assert!(
        found.contains("60000 ports") && found.contains("net.ipv4.ip_local_port_range"),
        "{found}"
    );
    let churning = Need {
        churn_per_second: 1_000.0,
        ..Need {
            connections: 10,
            ..far
        }
    };
    assert!(problem(&churning, &MACHINE).contains("60010 ports"));
    let calm = Need {
        connections: 50_000,
        ..far
    };
    assert_eq!(problem(&calm, &MACHINE), "");
}

#[test]
fn a_machine_with_few_ports_is_told_to_widen_them() {
    let narrow = Machine {
        ports: (60_000, 60_999),
        ..MACHINE
    };
    assert!(problem(&need(10_000), &narrow).contains("1000 ports"));
}

#[test]
fn memory_is_counted_before_it_is_taken() {
    let small = Machine {
        memory_kib: 512 << 10,
        ..MACHINE
    };
    let problem = problem(&need(60_000), &small);
    assert!(
        problem.contains("about 1582 MiB") && problem.contains("512 MiB are free"),
        "{problem}"
    );
}

#[test]
fn this_machine_can_hold_ten_connections() {
    let found = check(&need(10));
    assert_eq!((found.workers, found.problems), (1, Vec::new()));
}
