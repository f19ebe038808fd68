//! Files that are read again while the node runs: on SIGHUP, and when they have changed. Each part of the node knows its own
//! files; bad ones leave it as it was. Not how a part reads them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use parking_lot::Mutex;
use switchboard_auth::{Reload, Verifier, Watched, WatchedFiles};
use switchboard_telemetry::{ReloadOutcome, ReloadPart, Telemetry};
use switchboard_webhooks::Webhooks;
use tokio::{sync::Notify, time::sleep};

/// The time between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(5);

/// The time in which a change must settle: two reads this far apart must find the same.
const SETTLE: Duration = Duration::from_millis(250);

/// The most reads after one look. Files that still change then are left to the next look.
const MAX_READS: usize = 8;

/// One part of the node that reads files again.
struct Part {
    name: ReloadPart,
    /// Blocks. An error is a sentence, and comes once for the same contents.
    reload: Arc<dyn Fn() -> Result<Reload, String> + Send + Sync>,
    /// Why its present files cannot be used.
    problem: Mutex<Option<String>>,
}

/// The largest file of webhooks, in bytes: a bundle of authorities.
const MAX_WEBHOOK_FILE: u64 = 1_048_576;

/// `None` if they have no files.
fn of_webhooks(webhooks: &Arc<Webhooks>) -> Option<Part> {
    let max_bytes = MAX_WEBHOOK_FILE;
    let files = webhooks.files().into_iter();
    let (files, _) = WatchedFiles::new(files.map(|path| Watched::File { path, max_bytes }).collect());
    let has_files = !files.is_empty();
    let webhooks = Arc::clone(webhooks);
    let reload = move || match files.poll() {
        Err(reload) => Ok(reload),
        Ok(_) => match webhooks.read_files_again() {
            Ok(()) => Ok(Reload::Changed),
            Err(error) => Err(error.to_string()),
        },
    };
    has_files.then(|| Part {
        name: ReloadPart::Webhooks,
        reload: Arc::new(reload),
        problem: Mutex::default(),
    })
}

/// All parts of the node that read files again.
pub(crate) struct Reloader {
    parts: Vec<Part>,
    verifier: Verifier,
    telemetry: Telemetry,
}

impl Reloader {
    pub(crate) fn new(verifier: Verifier, webhooks: Option<&Arc<Webhooks>>, telemetry: Telemetry) -> Self {
        let mut parts = Vec::new();
        if verifier.has_files() {
            let keys = verifier.clone();
            parts.push(Part {
                name: ReloadPart::Keys,
                reload: Arc::new(move || keys.reload().map_err(|error| error.to_string())),
                problem: Mutex::default(),
            });
        }
        if let Some(part) = webhooks.and_then(of_webhooks) {
            parts.push(part);
        }
        Self {
            parts,
            verifier,
            telemetry,
        }
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
            tracing::info!("SIGHUP: the files of keys and webhooks are read again; the configuration is not");
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
