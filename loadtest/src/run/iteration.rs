//! One repeat: servers, workers, the load, faults in it, samples of the servers, and the figures of all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::time::{interval, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::{
    options::{Invalid, Options},
    plan,
    screen::Screen,
    verdict,
};
use crate::{
    cluster::is_redis,
    faults::{self, DoneFaults},
    fleet::{Assignment, Fleet, Merged, WorkerSource},
    live::{Live, Phase},
    observe::{self, Watch, Watched},
    preflight,
    results::{RunResult, Second},
    scenario::Scenario,
    servers::Servers,
};

/// How often the view is updated.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// The result of a repeat.
pub(super) struct Iteration {
    pub(super) result: RunResult,
    /// Versions of the servers.
    pub(super) versions: BTreeMap<String, String>,
}

/// Runs repeat number `repeat`, from 0; `None` if the user stopped it before there was a load.
pub(super) async fn run(
    scenario: &Scenario,
    options: &Options,
    repeat: u32,
    live: &mut Live,
) -> anyhow::Result<Option<Iteration>> {
    preflight::refuse_remote(&scenario.target.urls, options.allow_remote)?;
    preflight::refuse_remote(&scenario.target.ops_urls, options.allow_remote)?;
    let plan = plan::plan(scenario)?;
    let mut screen = Screen::new(live, options, scenario, repeat, &plan);
    let tag = format!("{:x}r{repeat}", std::process::id());
    let starting = async {
        let servers = Servers::start(scenario, plan.connections).await?;
        let key = servers.key()?;
        if scenario.generator.agents.is_empty() {
            preflight::check_target(&scenario.target, &key, &format!("{tag}-asks")).await?;
        }
        Ok((servers, key))
    };
    let Some((servers, key)) = during(&mut screen, Phase::Starting, starting).await? else {
        return Ok(None);
    };

    let mut assigned = scenario.clone();
    assigned.target.urls = servers.urls();
    let assignment = Assignment {
        scenario: assigned,
        number: 0,
        of: plan.workers,
        tag,
        spread: plan.spread,
        key,
    };
    let watched = servers.clone();
    let watch = Watch::begin(move || watched.list())?;
    let source = worker_source(scenario, options, plan.workers)?;
    let mut fleet = Fleet::start(source, |_| assignment.clone()).await?;
    screen.merged = Some(fleet.merged());
    if during(&mut screen, Phase::Connecting, fleet.prepare())
        .await?
        .is_none()
    {
        return Ok(None);
    }
    let mut load = Load {
        scenario,
        servers: &servers,
        length: scenario.length(),
        stopped: None,
    };
    let ran = load.run(fleet, watch, &mut screen).await;
    let (merged, watched, faults) = ran.context(Invalid).inspect_err(|_| servers.keep_logs())?;
    if load.length.is_zero() {
        return Ok(None);
    }
    let mut result = load.result(merged, watched, &faults)?;
    verdict::decide(scenario, &mut result, load.stopped)?;
    screen.done();
    Ok(Some(Iteration {
        result,
        versions: servers.versions(),
    }))
}

fn worker_source(scenario: &Scenario, options: &Options, workers: usize) -> anyhow::Result<WorkerSource> {
    let agents = scenario.generator.agents.clone();
    if agents.is_empty() {
        return Ok(WorkerSource::Local {
            workers,
            program: options.program.clone(),
        });
    }
    let secret = options
        .agent_secret
        .clone()
        .context("agents want a secret: --agents-secret-file")?;
    Ok(WorkerSource::Remote {
        agents,
        workers,
        secret,
    })
}

/// The load and everything that happens during it.
struct Load<'a> {
    scenario: &'a Scenario,
    servers: &'a Servers,
    /// As planned; as it was if the user stopped it.
    length: Duration,
    /// The reason why the figures are of a part only.
    stopped: Option<String>,
}

impl Load<'_> {
    async fn run(
        &mut self,
        mut fleet: Fleet,
        watch: Watch,
        screen: &mut Screen<'_>,
    ) -> anyhow::Result<(Merged, Watched, DoneFaults)> {
        let start = fleet.begin().await?;
        watch.load_starts(start).await;
        let done = DoneFaults::default();
        let faults = faults::run(
            self.scenario.faults.clone(),
            start,
            self.servers.clone(),
            Arc::clone(&done),
        );
        let faults = AbortOnDropHandle::new(tokio::spawn(faults));
        (screen.start, screen.done_faults) = (Some(start), Arc::clone(&done));
        let end = async {
            sleep_until(start + self.length).await;
            Ok(())
        };
        if during(screen, Phase::Load, end).await?.is_none() {
            let planned = self.length;
            self.length = start.elapsed().min(planned);
            self.stopped = Some(format!(
                "stopped by the user after {:.0} s of {:.0} s; the figures are of this part",
                self.length.as_secs_f64(),
                planned.as_secs_f64()
            ));
            // First the records: from now on connections end, which is no result.
            screen.merged = None;
            let merged = fleet.abandon();
            let ended = async { Ok(watch.load_ended().await) };
            let watched = during(screen, Phase::Stopping, ended).await?;
            return Ok((merged, watched.unwrap_or_default(), done));
        }
        let watched = watch.load_ended().await;
        // A worker that dies makes the figures worthless, but is no error of the scenario.
        let settled = during(screen, Phase::Settling, fleet.ended()).await?;
        drop(faults);
        screen.merged = None;
        if settled.is_none() {
            self.stopped = Some("stopped by the user before the last messages had settled".to_owned());
            return Ok((fleet.abandon(), watched, done));
        }
        Ok((fleet.finish().await?, watched, done))
    }

    /// All figures of the repeat, without the verdict on them.
    fn result(&self, merged: Merged, watched: Watched, faults: &DoneFaults) -> anyhow::Result<RunResult> {
        let samples = merged.samples();
        let mut result = merged.into_run_result()?;
        let driver = serde_json::to_value(self.scenario.target.driver)?;
        result.driver = driver.as_str().unwrap_or_default().to_owned();
        result.load_s = self.length.as_secs_f64();
        result.faults = faults::heal(&faults.lock(), &samples, &result.series, self.length);
        result.servers = watched.servers;
        count_connections(&mut result);
        add_cores(&mut result.series, &watched.cores);
        let counts = load_counts(&result.series, self.length);
        result.costs = observe::costs(&result.servers, &counts, result.load_s);
        Ok(result)
    }
}

/// Where servers do not say how many connections they hold, the generator knows how many there are in all.
fn count_connections(result: &mut RunResult) {
    let are_known = result.servers.iter().any(|server| server.connections > 0);
    let totals = result
        .series
        .iter()
        .map(|second| second.connected.values().sum::<u64>());
    let last = totals.rev().find(|total| *total > 0);
    let nodes: Vec<_> = result
        .servers
        .iter_mut()
        .filter(|server| !is_redis(&server.name))
        .collect();
    let count = nodes.len() as u64;
    for node in nodes.into_iter().filter(|_| !are_known) {
        node.connections = last.unwrap_or_default() / count;
    }
}

/// Each sample goes to the second that it ends in.
fn add_cores(series: &mut [Second], samples: &[(f64, BTreeMap<String, f64>)]) {
    for second in series {
        let within = samples
            .iter()
            .filter(|(at, _)| *at > second.at_s - 1.0 && *at <= second.at_s);
        if let Some((_, cores)) = within.max_by(|a, b| a.0.total_cmp(&b.0)) {
            second.server_cores.clone_from(cores);
        }
    }
}

/// What happened during the load alone, without the ramp and the settling.
fn load_counts(series: &[Second], length: Duration) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let is_load = |second: &&Second| second.at_s > 0.0 && second.at_s <= length.as_secs_f64() + 0.5;
    for (name, count) in series.iter().filter(is_load).flat_map(|second| &second.counts) {
        *counts.entry(name.clone()).or_default() += count;
    }
    counts
}

/// Waits for `doing` and keeps the view up to date meanwhile; `None` if the user stops it. The phase `Stopping` is not
/// stopped once more.
async fn during<T>(
    screen: &mut Screen<'_>,
    phase: Phase,
    doing: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    screen.progress.phase = phase;
    let stop = screen.stop.clone();
    tokio::pin!(doing);
    let mut ticks = interval(SHOW_EVERY);
    loop {
        tokio::select! {
            biased;
            done = &mut doing => return done.map(Some),
            () = stop.cancelled(), if phase != Phase::Stopping => return Ok(None),
            _ = ticks.tick() => screen.show()?,
        }
    }
}
