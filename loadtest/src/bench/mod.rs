//! The fixed benchmark: which runs, how often, in which order. Runs that are compared alternate, because
//! machines are noisy and shared.

mod bars;
mod beside;
mod beside_table;
mod connects;
mod document;
mod floor;
mod flow;
mod messages;
mod peers;
mod report;
mod spacing;
mod stage;
mod stats;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{cli::BenchArgs, observe};
use report::Report;
use stage::Stage;

/// How much is done.
pub(crate) struct Size {
    pub(crate) repeats: usize,
    pub(crate) span: Duration,
    /// Of a run beside rivals.
    beside: Duration,
    idle: usize,
    connects: usize,
}

impl Size {
    fn of(args: &BenchArgs) -> Self {
        let (repeats, seconds, beside, idle, connects) = match (args.smoke, args.quick) {
            (true, _) => (1, 1, 2, 200, 200),
            (false, true) => (3, 3, 4, 5_000, 2_000),
            (false, false) => (5, 5, 8, 15_000, 5_000),
        };
        Self {
            repeats,
            span: Duration::from_secs(seconds),
            beside: Duration::from_secs(beside),
            idle: args.connections.unwrap_or(idle),
            connects,
        }
    }
}

/// Runs it; `false` when a message went wrong.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<bool> {
    let binary = binary(args.binary.as_ref())?;
    let size = Size::of(&args);
    let mut report = Report::default();
    costs(&binary, &size, &mut report).await?;
    let folder = args.out.with_extension("");
    let beside = beside::run(&binary, &size, &folder).await?;
    report.wrong += beside.wrong;
    report.figure(bars::IDLE, beside.idle_kib.clone());
    report.note(format!(
        "messages lost, doubled, reordered, changed or without a final word: {}",
        report.wrong
    ));
    report.save(&args.out)?;
    if let Some(page) = &args.page {
        let versions = beside.versions.clone();
        let environment = observe::environment(versions).await;
        document::write(page, &report, &beside, &environment, size.repeats)?;
        println!("page: {}", page.display());
    }
    println!(
        "\n{}\nfigures: {}; reports: {}",
        report.markdown(),
        args.out.display(),
        folder.display()
    );
    Ok(report.wrong == 0)
}

/// What a connection and a message cost.
async fn costs(binary: &Path, size: &Size, report: &mut Report) -> anyhow::Result<()> {
    let stage = Stage::set(binary, 2, None).await?;

    println!("messages: {} repeats of {:?} each", size.repeats, size.span);
    messages::run(&stage, size, report).await?;
    drop(stage);

    println!("connects");
    connects::run(binary, size, report).await?;
    Ok(())
}

fn binary(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    match given {
        Some(binary) => Ok(binary.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("switchboard")),
    }
}
