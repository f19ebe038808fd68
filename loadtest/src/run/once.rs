//! One repeat: servers, workers, the load, faults in it, looks at the servers, and what all of them say in the end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{interval, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Invalid, Options, ground::Ground, screen::Screen, verdict};
use crate::{
    faults::{self, Struck},
    fleet::{Assignment, Crew, Fleet, Merged},
    live::{Live, Phase, UserRequest},
    observe::{self, Watch, Watched},
    preflight,
    results::{RunResult, Second},
    scenario::Scenario,
};

/// Faults that are told of and not yet looked at.
const MAX_TOLD: usize = 1024;

/// How often the view is brought up to date.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// What came of a repeat.
pub(super) struct Once {
    pub(super) result: RunResult,
    /// Versions of the servers.
    pub(super) versions: BTreeMap<String, String>,
}

/// Makes repeat number `repeat`, from 0.
pub(super) async fn once(
    scenario: &Scenario,
    options: &Options,
    repeat: u32,
    live: &mut Live,
) -> anyhow::Result<Once> {
    preflight::refuse_remote(&scenario.target.urls, options.allow_remote)?;
    preflight::refuse_remote(&scenario.target.ops_urls, options.allow_remote)?;
    let plan = super::need::plan(scenario)?;
    let mut screen = Screen::new(live, scenario, repeat, plan.workers, plan.connections);
    let setting = Ground::set(scenario, plan.connections);
    let ground = during(&mut screen, Phase::Starting, setting).await?;

    let mut filled = scenario.clone();
    filled.target.urls = ground.urls();
    let key = ground.key()?;
    let assignment = Assignment {
        scenario: filled,
        number: 0,
        of: plan.workers,
        tag: format!("{:x}r{repeat}", std::process::id()),
        spread: plan.spread,
        key,
    };
    let eyes = ground.clone();
    let watch = Watch::begin(move || eyes.servers())?;
    let crew = crew(scenario, options, plan.workers)?;
    let mut fleet = Fleet::start(crew, |_| assignment.clone()).await?;
    screen.follow(fleet.merged());
    during(&mut screen, Phase::Connecting, fleet.prepare()).await?;
    let load = Load {
        scenario,
        ground: &ground,
        length: scenario.length(),
    };
    let ran = load.run(fleet, watch, &mut screen).await;
    let (merged, watched, struck) = ran.context(Invalid).inspect_err(|_| ground.keep_logs())?;
    let mut result = load.result(merged, watched, &struck)?;
    verdict::judge(scenario, &mut result)?;
    screen.done();
    Ok(Once {
        result,
        versions: ground.versions(),
    })
}

fn crew(scenario: &Scenario, options: &Options, workers: usize) -> anyhow::Result<Crew> {
    let agents = &scenario.generator.agents;
    if agents.is_empty() {
        return Ok(Crew::Local {
            workers,
            program: options.program.clone(),
        });
    }
    let secret = options.agent_secret.clone();
    Ok(Crew::Remote {
        agents: agents.clone(),
        workers,
        secret: secret.context("agents want a secret: --agents-secret-file")?,
    })
}

/// The load and what goes on during it.
struct Load<'a> {
    scenario: &'a Scenario,
    ground: &'a Ground,
    length: Duration,
}

impl Load<'_> {
    async fn run(
        &self,
        mut fleet: Fleet,
        watch: Watch,
        screen: &mut Screen<'_>,
    ) -> anyhow::Result<(Merged, Watched, Vec<Struck>)> {
        let at = fleet.begin().await?;
        watch.load_starts(at).await;
        let (told, mut struck) = mpsc::channel(MAX_TOLD);
        let doing = faults::run(self.scenario.faults.clone(), at, self.ground.controls(), told);
        let doing = AbortOnDropHandle::new(tokio::spawn(doing));
        let known = Arc::new(Mutex::new(Vec::new()));
        let noting = Arc::clone(&known);
        let note = async move {
            while let Some(one) = struck.recv().await {
                noting.lock().push(one);
            }
        };
        let note = AbortOnDropHandle::new(tokio::spawn(note));
        screen.starts(at, Arc::clone(&known));
        let end = async {
            sleep_until(at + self.length).await;
            Ok(())
        };
        during(screen, Phase::Load, end).await?;
        let watched = watch.load_ended().await;
        // A worker that dies makes the figures worthless, but is no error of the scenario.
        during(screen, Phase::Settling, fleet.ended()).await?;
        drop((doing, note));
        let merged = fleet.finish().await?;
        let struck = known.lock().clone();
        Ok((merged, watched, struck))
    }

    /// All figures of the repeat; not yet the judgement on them.
    fn result(&self, merged: Merged, watched: Watched, struck: &[Struck]) -> anyhow::Result<RunResult> {
        let samples = merged.samples();
        let mut result = merged.into_run_result()?;
        let driver = serde_json::to_value(self.scenario.target.driver)?;
        result.driver = driver.as_str().unwrap_or_default().to_owned();
        result.load_s = self.length.as_secs_f64();
        let crowds = faults::crowds(struck, &result.series, self.length);
        result.faults = faults::heal(struck, &samples, &crowds, self.length);
        result.servers = watched.servers;
        count_connections(&mut result);
        give_cores(&mut result.series, &watched.looks);
        let load_counts = load_counts(&result.series, self.length);
        result.costs = observe::costs(&result.servers, &load_counts, result.load_s);
        Ok(result)
    }
}

/// Servers that do not say how many connections they hold: the generator knows how many there are in all.
fn count_connections(result: &mut RunResult) {
    let are_known = result.servers.iter().any(|server| server.connections > 0);
    let nodes: Vec<_> = result
        .servers
        .iter_mut()
        .filter(|server| server.name != crate::cluster::REDIS)
        .collect();
    let last = result
        .series
        .iter()
        .rfind(|second| second.connected.values().any(|count| *count > 0));
    if let Some(last) = last.filter(|_| !are_known && !nodes.is_empty()) {
        let each = last.connected.values().sum::<u64>() / nodes.len() as u64;
        for node in nodes {
            node.connections = each;
        }
    }
}

/// Each look goes to the second that it ends in.
fn give_cores(series: &mut [Second], looks: &[(f64, BTreeMap<String, f64>)]) {
    for second in series {
        let near = looks
            .iter()
            .filter(|(at, _)| *at > second.at_s - 1.0 && *at <= second.at_s);
        if let Some((_, cores)) = near.max_by(|a, b| a.0.total_cmp(&b.0)) {
            second.server_cores = cores.clone();
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

/// Waits for `doing` and keeps the view up to date meanwhile.
async fn during<T>(
    screen: &mut Screen<'_>,
    phase: Phase,
    doing: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    screen.phase(phase);
    tokio::pin!(doing);
    let mut ticks = interval(SHOW_EVERY);
    loop {
        tokio::select! {
            biased;
            done = &mut doing => return done,
            _ = ticks.tick() => {
                if screen.show() == UserRequest::Stop {
                    bail!("stopped by the user; nothing is written");
                }
            }
        }
    }
}
