//! Files that are read again while the node runs: on SIGHUP, and when they have changed. Each part of the node knows its own
//! files; bad ones leave it as it was. Not how a part reads them.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use switchboard_auth::{IceServers, Reload, Verifier, Watched, WatchedFiles};
use switchboard_broker::RedisBroker;
use switchboard_edge::TlsPort;
use switchboard_telemetry::{ReloadOutcome, ReloadPart, Telemetry};
use switchboard_webhooks::Webhooks;
use tokio::{sync::Notify, time::sleep};

use crate::{config::SecretFiles, ops::OpsAccess};

/// The time between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(5);

/// The time in which a change must settle: two reads this far apart must find the same.
const SETTLE: Duration = Duration::from_millis(250);

/// The most reads after one look. Files that still change then are left to the next look.
const MAX_READS: usize = 8;

/// The largest file, in bytes: a bundle of authorities. Keys have bounds of their own.
const MAX_FILE: u64 = 1_048_576;

/// One part of the node that reads files again.
struct Part {
    name: ReloadPart,
    /// Blocks. An error is a sentence, and comes once for the same contents.
    reload: Arc<dyn Fn() -> Result<Reload, String> + Send + Sync>,
    /// Why its present files cannot be used.
    problem: Mutex<Option<String>>,
}

/// All parts of the node that read files again.
pub(crate) struct Reloader {
    parts: Vec<Part>,
    verifier: Verifier,
    telemetry: Telemetry,
}

impl Reloader {
    /// With the keys of issuers.
    pub(crate) fn new(verifier: Verifier, telemetry: Telemetry) -> Self {
        let mut reloader = Self {
            parts: Vec::new(),
            verifier: verifier.clone(),
            telemetry,
        };
        if verifier.has_files() {
            let reload = move || verifier.reload().map_err(|error| error.to_string());
            reloader.add(ReloadPart::Keys, reload);
        }
        reloader
    }

    /// Adds the secrets of TURN servers and of the operations port.
    pub(crate) fn add_secrets(
        &mut self,
        secrets: &SecretFiles,
        ice: &IceServers,
        ops: &Arc<RwLock<OpsAccess>>,
    ) {
        let (again, ice) = (secrets.clone(), ice.clone());
        self.add_files(ReloadPart::Ice, secrets.of_ice(), move || {
            ice.use_secrets_of(&again.ice().map_err(|error| error.to_string())?);
            Ok(())
        });
        let (again, ops) = (secrets.clone(), Arc::clone(ops));
        self.add_files(ReloadPart::Ops, secrets.of_ops(), move || {
            *ops.write() = again.ops().map_err(|error| error.to_string())?;
            Ok(())
        });
    }

    /// Adds certificate and key of a port, which knows its files.
    pub(crate) fn add_tls(&mut self, name: ReloadPart, tls: Option<&Arc<TlsPort>>) {
        if let Some(tls) = tls.map(Arc::clone) {
            self.add(name, move || tls.reload());
        }
    }

    /// Adds the passwords and certificates of Redis.
    pub(crate) fn add_redis(&mut self, secrets: SecretFiles, broker: Arc<RedisBroker>) {
        self.add_files(ReloadPart::Broker, secrets.of_broker(), move || {
            let Some(config) = secrets.redis().map_err(|error| error.to_string())? else {
                return Ok(());
            };
            let refused = |error| format!("broker: {error}");
            broker.set_credentials(&config).map_err(refused)
        });
    }

    /// Adds the secrets of webhooks, and the authorities of their endpoints.
    pub(crate) fn add_webhooks(&mut self, webhooks: &Arc<Webhooks>) {
        let again = Arc::clone(webhooks);
        self.add_files(ReloadPart::Webhooks, webhooks.files(), move || {
            again.read_files_again().map_err(|error| error.to_string())
        });
    }

    /// Adds a part that uses the new contents of its `files` with `apply`; nothing without files.
    fn add_files(
        &mut self,
        name: ReloadPart,
        files: Vec<PathBuf>,
        apply: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        let max_bytes = MAX_FILE;
        let watched = files
            .iter()
            .cloned()
            .map(|path| Watched::File { path, max_bytes });
        let (watched, _) = WatchedFiles::new(watched.collect());
        if watched.is_empty() {
            return;
        }
        self.add(name, move || match watched.poll() {
            Err(reload) => Ok(reload),
            Ok(contents) => {
                for file in &files {
                    contents.file(file)?;
                }
                apply().map(|()| Reload::Changed)
            }
        });
    }

    fn add(&mut self, name: ReloadPart, reload: impl Fn() -> Result<Reload, String> + Send + Sync + 'static) {
        self.parts.push(Part {
            name,
            reload: Arc::new(reload),
            problem: Mutex::default(),
        });
    }

    /// The parts whose present files cannot be used, and why.
    pub(crate) fn problems(&self) -> impl Iterator<Item = (ReloadPart, String)> {
        let found = |part: &Part| Some((part.name, part.problem.lock().clone()?));
        self.parts.iter().filter_map(found)
    }

    /// Reads files again whenever `hangup` asks, and when they have changed.
    pub(crate) async fn run(&self, hangup: &Notify) -> Infallible {
        loop {
            tokio::select! {
                () = hangup.notified() => self.read_all(true).await,
                () = sleep(INTERVAL), if !self.parts.is_empty() => self.read_all(false).await,
            }
        }
    }

    async fn read_all(&self, is_asked: bool) {
        if is_asked {
            tracing::info!("SIGHUP: the files of keys and secrets are read again; the configuration is not");
        }
        for part in &self.parts {
            self.read(part, is_asked).await;
        }
        if is_asked {
            self.verifier.prefetch_keys().await;
        }
    }

    async fn read(&self, part: &Part, is_asked: bool) {
        let name = part.name.as_str();
        for _ in 0..MAX_READS {
            let reload = Arc::clone(&part.reload);
            let Ok(outcome) = tokio::task::spawn_blocking(move || reload()).await else {
                return tracing::error!(
                    part = name,
                    "reading the files failed; the earlier contents stay in use"
                );
            };
            match outcome {
                Ok(Reload::Settling) => sleep(SETTLE).await,
                Ok(Reload::Changed) => {
                    *part.problem.lock() = None;
                    self.telemetry.reloaded(part.name, ReloadOutcome::Changed);
                    return tracing::info!(part = name, "files have changed; their new contents are in use");
                }
                Ok(Reload::Unchanged) => {
                    if is_asked {
                        let problem = part.problem.lock().clone();
                        tracing::info!(part = name, problem, "the files have not changed");
                    }
                    return;
                }
                Err(problem) => {
                    tracing::warn!(
                        part = name,
                        problem,
                        "files have changed and cannot be used; the earlier contents stay in use"
                    );
                    *part.problem.lock() = Some(problem);
                    return self.telemetry.reloaded(part.name, ReloadOutcome::Refused);
                }
            }
        }
    }
}
