//! The abuse suite: two nodes on one Redis with honest bystanders, and one attacker after the other. For each attack it
//! prints what the bystanders notice and what memory it costs, and fails if that is more than `verdict` allows. Not the tests
//! of single limits: those are next to the code, and in the other files of this folder.
//!
//! `cargo test` runs the quick attacks; `make abuse` runs all of them on a release build and writes docs/abuse.md.

mod arguments;
mod attack;
mod attacker;
mod attacks;
mod bystanders;
mod flood;
mod memory;
mod newcomers;
mod page;
mod resident;
mod run;
mod scene;
mod tally;
mod verdict;

use std::{process::ExitCode, time::Instant};

use clap::Parser as _;

use arguments::Arguments;
use attacks::ALL;
use switchboard_testkit::raw;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let start = Instant::now();
    let mut outcomes = Vec::new();
    for attack in ALL
        .iter()
        .filter(|attack| arguments.list || arguments.selects(attack))
    {
        if arguments.list {
            println!("{:<26}{}", attack.name, attack.title);
            continue;
        }
        let outcome = run::outcome_of(attack).await?;
        println!("{outcome}");
        outcomes.push(outcome);
    }
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_held()).collect();
    let names: Vec<_> = failed.iter().map(|outcome| outcome.attack.name).collect();
    if !outcomes.is_empty() {
        println!("{} attacks in {} s", outcomes.len(), start.elapsed().as_secs());
    }
    if let Some(page) = &arguments.page {
        page::write(page, &outcomes)?;
    }
    if names.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("NOT HELD: {}", names.join(", "));
    Ok(ExitCode::FAILURE)
}
