//! Scenarios on the command line: finding, listing, showing and checking them, with the changes of the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::{
    results::{Results, SCHEMA},
    scenario::{self, DriverKind, Scenario, presets},
};

/// A scenario and its changes.
#[derive(Debug, Args)]
pub(super) struct ScenarioArgs {
    /// A scenario file, or the name of a preset (see `list`).
    scenario: String,
    /// Change a key, for example `calls.placement=same-node` or `calls.stages.0.rate=50`; may be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Which kind of server. peerjs and socketio need Node.js and `npm ci --prefix loadtest/rivals`, spreed needs
    /// nextcloud-spreed-signaling-server on PATH, redis needs redis-server.
    #[arg(long)]
    driver: Option<DriverKind>,
    /// Load this address instead of starting a cluster, for example ws://127.0.0.1:8080/v1/ws; one for each node.
    #[arg(long = "url")]
    urls: Vec<String>,
    /// The nodes' operations ports in the same order, for example http://127.0.0.1:9090.
    #[arg(long = "ops-url")]
    ops_urls: Vec<String>,
    /// A file with the HS256 secret that the servers trust (`[auth]` in their configuration). It is tried on every --url
    /// before anything starts.
    #[arg(long, env = "LOADTEST_SECRET_FILE")]
    secret_file: Option<PathBuf>,
    /// A PEM file of authorities that may certify a wss:// target, in addition to those of the system.
    #[arg(long, env = "SWITCHBOARD_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// A private key (PEM) to sign tokens with instead.
    #[arg(long, conflicts_with = "secret_file")]
    key_file: Option<PathBuf>,
    /// Nodes of the cluster that is started.
    #[arg(long)]
    nodes: Option<usize>,
    /// The `switchboard` binary of that cluster; by default the one next to this program.
    #[arg(long, env = "SWITCHBOARD_BIN")]
    binary: Option<PathBuf>,
    /// Run it so often; figures are then medians. `compare` needs at least 4 runs on each side.
    #[arg(long)]
    repeats: Option<u32>,
    /// Worker processes; as many as the connections need if left out.
    #[arg(long)]
    workers: Option<usize>,
}

impl ScenarioArgs {
    /// The scenario with all changes, checked.
    ///
    /// # Errors
    /// When there is no scenario of that name, or it makes no sense: all problems at once.
    pub(super) fn load(&self) -> anyhow::Result<Scenario> {
        let text = self.text()?;
        let found = scenario::load_and_check(&text, &self.set, |scenario| self.change(scenario));
        found.map_err(|problems| anyhow::anyhow!("{}:\n  - {}", self.scenario, problems.join("\n  - ")))
    }

    fn text(&self) -> anyhow::Result<String> {
        if let Some(text) = presets::find(&self.scenario) {
            return Ok(text.to_owned());
        }
        let path = Path::new(&self.scenario);
        let looks_like_a_name = path.extension().is_none() && path.components().count() == 1;
        if looks_like_a_name && !path.exists() {
            bail!(
                "there is no preset `{}`; there are: {} – or give the path of a file",
                self.scenario,
                names().join(", ")
            );
        }
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
    }

    fn change(&self, scenario: &mut Scenario) {
        fn set<T: Clone>(place: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                place.clone_from(value);
            }
        }
        let Scenario {
            target,
            cluster,
            generator,
            repeats,
            ..
        } = scenario;
        set(&mut target.driver, self.driver.as_ref());
        set(&mut target.urls, Some(&self.urls).filter(|urls| !urls.is_empty()));
        set(
            &mut target.ops_urls,
            Some(&self.ops_urls).filter(|urls| !urls.is_empty()),
        );
        if self.secret_file.is_some() || self.key_file.is_some() {
            target.secret_file.clone_from(&self.secret_file);
            target.key_file.clone_from(&self.key_file);
        }
        set(
            &mut target.ca_file,
            Some(&self.ca_file).filter(|file| file.is_some()),
        );
        set(&mut cluster.nodes, self.nodes.as_ref());
        set(
            &mut cluster.binary,
            Some(&self.binary).filter(|binary| binary.is_some()),
        );
        set(repeats, self.repeats.as_ref());
        set(&mut generator.workers, self.workers.as_ref());
    }
}

fn names() -> Vec<&'static str> {
    presets::ALL.iter().map(|(name, _)| *name).collect()
}

/// `list`.
pub(super) fn list() -> u8 {
    for (name, text) in presets::ALL {
        let about = scenario::load(text, &[])
            .map(|scenario| scenario.about)
            .unwrap_or_default();
        println!("{name:<18}{about}");
    }
    println!(
        "\nRun one: switchboard-loadtest run {}",
        names().first().unwrap_or(&"FILE")
    );
    println!("Write your own: switchboard-loadtest show NAME > mine.toml");
    0
}

/// `show`.
pub(super) fn show(preset: &str) -> anyhow::Result<u8> {
    let Some(text) = presets::find(preset) else {
        bail!("there is no preset `{preset}`; there are: {}", names().join(", "));
    };
    print!("{text}");
    Ok(0)
}

/// `check`.
pub(super) fn check(args: &ScenarioArgs) -> anyhow::Result<u8> {
    let scenario = args.load()?;
    println!(
        "{} is valid: {} s of load, {} fault(s), {} threshold(s)",
        scenario.name,
        scenario.length().as_secs(),
        scenario.faults.len(),
        scenario.thresholds.len()
    );
    Ok(0)
}

/// Reads a results.json.
///
/// # Errors
/// When it is none, or of another version.
pub(super) fn read_results(path: &Path) -> anyhow::Result<Results> {
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let results: Results = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no results.json of this program", path.display()))?;
    anyhow::ensure!(
        results.schema == SCHEMA,
        "{} has schema {}; this program reads {SCHEMA}",
        path.display(),
        results.schema
    );
    Ok(results)
}
