//! The benchmark: runs the scenarios of its `plan`, several times each. Rows that are compared alternate, because
//! machines are noisy and shared. `figures`, `comparison` and `page` write the results.

mod args;
mod comparison;
mod figures;
mod measured;
mod page;
mod plan;

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::{
    fleet::Program,
    live::Live,
    observe, report,
    results::RunResult,
    run::{self, Options},
    scenario::DriverKind,
};
pub(crate) use args::BenchArgs;
use figures::Figures;
use measured::Measured;
use plan::{Group, Plan, Size};

/// Runs it; `false` when Switchboard violated the contract.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<bool> {
    let size = match (args.smoke, args.quick) {
        (true, _) => Size::Smoke,
        (false, true) => Size::Quick,
        (false, false) => Size::Full,
    };
    let plan = Plan::read(args.modes)?;
    let keys = tempfile::tempdir()?;
    let folder = args.out.with_extension("");
    let (mut figures, mut tables) = (Figures::default(), Vec::new());
    let mut versions = BTreeMap::new();
    let mut violations = 0;
    for group in &plan.groups {
        println!("{}, {} repeats", group.title, plan.repeats(size));
        let bench = Bench {
            args: &args,
            plan: &plan,
            size,
            keys: keys.path(),
        };
        let measured = bench.measure(group, &mut violations).await?;
        for (row, results) in &measured {
            let Some(results) = results else { continue };
            report::write(results, &folder.join(format!("{}-{}", group.slug, row.slug)))?;
            versions.extend(results.environment.servers.clone());
        }
        figures.add(group, &measured)?;
        if !group.columns.is_empty() {
            let about = group.about(size, keys.path())?;
            let table = comparison::table(group, &about, &measured);
            println!("\n{table}");
            tables.push(table);
        }
    }
    figures.note(format!(
        "messages lost, doubled, reordered, changed or without an outcome: {violations}"
    ));
    figures.save(&args.out, violations)?;
    if let Some(page) = &args.page {
        let environment = observe::environment(versions).await;
        let repeats = plan.repeats(size);
        let text = if args.modes {
            page::modes_text(&tables, &environment, repeats)
        } else {
            page::text(&figures, &tables, &environment, repeats)
        };
        if let Some(folder) = page.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(page, text).with_context(|| format!("{} cannot be written", page.display()))?;
        println!("page: {}", page.display());
    }
    println!(
        "\n{}\nfigures: {}; reports: {}",
        figures.markdown(),
        args.out.display(),
        folder.display()
    );
    Ok(violations == 0)
}

/// How the rows of a group are run.
struct Bench<'a> {
    args: &'a BenchArgs,
    plan: &'a Plan,
    size: Size,
    keys: &'a Path,
}

impl Bench<'_> {
    /// Runs all rows of `group` in turn, as often as the size says. Adds what Switchboard did wrong to `violations`.
    async fn measure<'g>(&self, group: &'g Group, violations: &mut u64) -> anyhow::Result<Measured<'g>> {
        let mut measured: Measured<'g> = group.rows.iter().map(|row| (row, None)).collect();
        let repeats = self.plan.repeats(self.size);
        for repeat in 1..=repeats {
            for (row, results) in &mut measured {
                let mut scenario = group.scenario(row, self.size, self.keys)?;
                scenario.cluster.binary.clone_from(&self.args.binary);
                let is_ours = scenario.target.driver == DriverKind::Switchboard;
                if let Some(idle) = scenario.idle.as_mut().filter(|idle| !idle.ramp_in_load)
                    && let Some(connections) = self.args.connections
                {
                    idle.connections = if is_ours {
                        connections
                    } else {
                        connections.min(idle.connections)
                    };
                }
                let options = Options {
                    program: Program::this()?,
                    agent_secret: None,
                    allow_remote: false,
                    stop: CancellationToken::new(),
                    exposition: None,
                };
                let found = run::run(&scenario, &options, &mut Live::silent()).await;
                match found.with_context(|| scenario.about.clone()) {
                    Ok(found) => {
                        if is_ours {
                            let counts = found.runs.iter().flat_map(RunResult::violated);
                            *violations += counts.map(|(_, count)| count).sum::<u64>();
                        }
                        match results {
                            Some(results) => results.runs.extend(found.runs),
                            None => *results = Some(found),
                        }
                    }
                    // A server that is not installed must not keep us from the others.
                    Err(error) if !is_ours => println!("  {} is left out: {error:#}", row.name),
                    Err(error) => return Err(error),
                }
            }
            println!("  repeat {repeat} of {repeats}");
        }
        Ok(measured)
    }
}
