//! A model of the delivery contract around the real router: nodes, clients and a bus. A seed decides in which
//! order messages are lost, doubled and delayed, connections cut, nodes frozen and killed. When the faults stop,
//! every send must have had exactly one outcome, and every outcome must be true.
//!
//! A failing seed is printed; `MODEL_SEED=<seed> cargo test -p switchboard-core model` runs it alone.

mod bus;
mod check;
mod client;
mod mutant;
mod world;

use switchboard_telemetry::Telemetry;

use check::Counts;
use mutant::Mutant;
use world::World;

use crate::Limits;

/// Schedules that the model runs; `SWITCHBOARD_MODEL_SCHEDULES` overrides it.
const SCHEDULES: u64 = 100_000;

/// Schedules within which a planted bug must be found.
const MUTANT_SCHEDULES: u64 = 20_000;

/// Schedules with small budgets.
const BUDGET_SCHEDULES: u64 = 5_000;

/// Steps of a schedule during which faults happen.
const STEPS: usize = 300;

fn run(seed: u64, mutant: Option<Mutant>, telemetry: &Telemetry) -> Result<Counts, String> {
    run_with(seed, mutant, telemetry, Limits::default())
}

fn run_with(
    seed: u64,
    mutant: Option<Mutant>,
    telemetry: &Telemetry,
    limits: Limits,
) -> Result<Counts, String> {
    let mut world = World::new(seed, mutant, telemetry, limits);
    world.connect_all();
    for _ in 0..STEPS {
        world.step();
    }
    world.calm();
    check::check(&world.clients)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_schedule_of_faults_breaks_the_delivery_contract() {
    let telemetry = Telemetry::new("model");
    let seeds = match number("MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SWITCHBOARD_MODEL_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let mut all = Counts::default();
    for seed in seeds {
        match run(seed, None, &telemetry) {
            Ok(counts) => all += counts,
            Err(why) => panic!("MODEL_SEED={seed}: {why}"),
        }
    }
    println!("{all:?}");
}

#[test]
fn budgets_that_are_used_up_break_no_promise() {
    let telemetry = Telemetry::new("model");
    let tight = Limits {
        pending_messages: 4,
        peer_stored_bytes: 600,
        node_stored_bytes: 1_000,
        ..Limits::default()
    };
    let mut all = Counts::default();
    for seed in 0..BUDGET_SCHEDULES {
        match run_with(seed, None, &telemetry, tight.clone()) {
            Ok(counts) => all += counts,
            Err(why) => panic!("seed {seed}: {why}"),
        }
    }
    println!("{all:?}");
    let text = telemetry.render().unwrap();
    let refused = |budget: &str, scope: &str| {
        let name = format!("switchboard_budget_refusals_total{{budget=\"{budget}\",scope=\"{scope}\"}} 0");
        !text.lines().any(|line| line == name)
    };
    for (budget, scope) in [("pending", "peer"), ("stored", "peer"), ("stored", "node")] {
        assert!(
            refused(budget, scope),
            "no schedule used up the {budget} budget of a {scope}"
        );
    }
}

fn assert_found(mutant: Mutant) {
    let telemetry = Telemetry::new("model");
    let found = (0..MUTANT_SCHEDULES)
        .find_map(|seed| run(seed, Some(mutant), &telemetry).err().map(|why| (seed, why)));
    println!("{mutant:?}: {found:?}");
    assert!(
        found.is_some(),
        "{mutant:?} was not found in {MUTANT_SCHEDULES} schedules"
    );
}

#[test]
fn the_model_finds_sessions_that_keep_too_much_as_done() {
    assert_found(Mutant::AcceptedIsDone);
}

#[test]
fn the_model_finds_acknowledgements_that_come_too_early() {
    assert_found(Mutant::DoneWhenWritten);
}

#[test]
fn the_model_finds_clients_that_ignore_the_order() {
    assert_found(Mutant::NoOrder);
}

#[test]
fn the_model_finds_clients_that_deliver_twice() {
    assert_found(Mutant::NoDedupe);
}
