//! `capacity`: the highest rate that keeps a scenario's thresholds.

use clap::Args;

use super::{
    interrupt::until_second,
    run::{Manner, print_end},
    scenarios::ScenarioArgs,
};
use crate::{
    capacity::Search,
    live::Live,
    report, run,
    scenario::{Scenario, Stage, highest_rate},
};

/// `capacity`.
#[derive(Debug, Args)]
pub(super) struct CapacityArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    #[command(flatten)]
    manner: Manner,
    /// The first rate tried, a second; doubled until one fails.
    #[arg(long, default_value_t = 10.0)]
    from: f64,
    /// The highest rate of interest.
    #[arg(long)]
    to: Option<f64>,
    /// How near to the limit, as a share of it.
    #[arg(long, default_value_t = 0.05)]
    precision: f64,
}

/// Searches; the exit code is 99 if not even the first rate is kept.
pub(super) async fn capacity(args: CapacityArgs) -> anyhow::Result<u8> {
    let scenario = args.scenario.load()?;
    anyhow::ensure!(
        !scenario.thresholds.is_empty(),
        "a scenario without thresholds has no capacity; give some, for example --set 'thresholds=[\"p99(call_setup) < 100ms\"]'"
    );
    let options = args.manner.options().await?;
    let folder = args.manner.folder(&scenario)?;
    let mut search = Search::new(args.from, args.to, args.precision)?;
    let mut live = Live::start(args.manner.plain);
    let mut tried = Vec::new();
    let mut best = None;
    while let Some(rate) = search.next() {
        let scenario = at_rate(&scenario, rate);
        let results = until_second(&options.stop, run::run(&scenario, &options, &mut live)).await?;
        if options.stop.is_cancelled() {
            // A part of a run says nothing about the rate.
            break;
        }
        let codes: Vec<u8> = results.runs.iter().map(|run| run.verdict.exit_code).collect();
        let is_met = codes.iter().all(|code| *code == 0);
        search.tell(rate, is_met);
        tried.push((
            rate,
            is_met,
            results.runs.first().map(|run| run.verdict.reasons.join("; ")),
        ));
        if is_met {
            best = Some(results);
        }
    }
    drop(live);
    for (rate, is_met, reasons) in &tried {
        let mark = if *is_met { "kept  " } else { "missed" };
        println!(
            "{rate:>10.1}/s  {mark} {}",
            reasons.as_deref().unwrap_or_default()
        );
    }
    let (Some(found), Some(best)) = (search.found(), best) else {
        anyhow::ensure!(
            !options.stop.is_cancelled(),
            "stopped by the user before a rate was found"
        );
        println!("not even {}/s keeps the thresholds", args.from);
        return Ok(run::EXIT_THRESHOLD);
    };
    let written = report::write(&best, &folder)?;
    print_end(&best);
    let is_stopped = options.stop.is_cancelled();
    let at_least = if search.is_bounded() && !is_stopped {
        ""
    } else {
        "at least "
    };
    println!(
        "\ncapacity: {at_least}{found:.1} a second, after {} runs; report of the best: {}",
        search.runs(),
        written.page.display()
    );
    if is_stopped {
        println!("stopped by the user before the end of the search");
        return Ok(run::EXIT_INVALID);
    }
    Ok(0)
}

/// The scenario with all stages scaled, so that the highest rate in it is this one.
fn at_rate(scenario: &Scenario, rate: f64) -> Scenario {
    let mut scaled = scenario.clone();
    let calls = scaled.calls.as_mut().map(|calls| &mut calls.stages);
    let streams = scaled.streams.as_mut().map(|streams| &mut streams.stages);
    for stages in [calls, streams].into_iter().flatten() {
        scale(stages, rate);
    }
    scaled
}

fn scale(stages: &mut [Stage], rate: f64) {
    let most = highest_rate(stages);
    for stage in stages {
        stage.rate *= rate / most;
        stage.to = stage.to.map(|to| to * rate / most);
    }
}
