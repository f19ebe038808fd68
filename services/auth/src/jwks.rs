//! The keys behind a JWKS URL: what is known now, and when to ask again. Not here: the request (`jwks_fetch`).
//!
//! Concurrency: readers take a snapshot and never wait. At most one request is under way (`Gate::running`),
//! in a task of its own, so a caller that goes away does not cancel it for the others; who needs its outcome
//! waits on a watch channel that is subscribed under the gate's lock, so no outcome is missed. Requests start
//! at least [`MIN_REFRESH_INTERVAL_S`] apart, whatever tokens arrive.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tokio::{sync::watch, time::timeout};

use crate::{
    AuthConfigError, Clock,
    jwks_fetch::{FETCH_TIMEOUT_MS, Fetched, JwksError, Source},
    key_set::KeySet,
};

/// The least time between the starts of two requests, in seconds.
pub const MIN_REFRESH_INTERVAL_S: u64 = 10;

/// How long keys count as fresh when the answer does not say, in seconds. Stale keys are still used, while
/// a request in the background replaces them.
pub const DEFAULT_FRESH_S: u64 = 300;

/// The shortest `max-age` honoured, in seconds.
pub const MIN_FRESH_S: u64 = 60;

/// The longest `max-age` honoured, in seconds: a key the issuer withdrew is gone here after this.
pub const MAX_FRESH_S: u64 = 3_600;

/// The keys and the manners of one JWKS URL.
pub(crate) struct Jwks {
    source: Source,
    clock: Clock,
    known: RwLock<Known>,
    gate: Mutex<Gate>,
    /// Counts finished requests.
    finished: watch::Sender<u64>,
    refreshes: AtomicU64,
    failures: AtomicU64,
}

/// The keys of the last good answer.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) keys: Arc<KeySet>,
    /// Changes with each good answer; 0 before the first.
    pub(crate) generation: u64,
    fresh_until_s: u64,
}

#[derive(Default)]
struct Gate {
    running: bool,
    last_start_s: Option<u64>,
    last_failed: bool,
}

impl Jwks {
    pub(crate) fn new(url: &str, clock: Clock) -> Result<Arc<Self>, AuthConfigError> {
        Ok(Arc::new(Self {
            source: Source::new(url)?,
            clock,
            known: RwLock::new(Known {
                keys: Arc::default(),
                generation: 0,
                fresh_until_s: 0,
            }),
            gate: Mutex::default(),
            finished: watch::Sender::new(0),
            refreshes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }))
    }

    /// What is known now; never waits for the network.
    pub(crate) fn known(&self) -> Known {
        self.known.read().clone()
    }

    pub(crate) fn refreshes(&self) -> u64 {
        self.refreshes.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Starts a request in the background when the keys are no longer fresh.
    pub(crate) fn refresh_if_stale(self: &Arc<Self>, known: &Known) {
        if known.generation > 0 && (self.clock)() >= known.fresh_until_s {
            drop(self.start());
        }
    }

    /// Asks the URL, or joins the request under way, or leaves it when it was asked a moment ago. Returns
    /// whether the last answer was a good one: only then is a key that is still missing truly unknown.
    pub(crate) async fn ask(self: &Arc<Self>) -> bool {
        if let Some(mut finished) = self.start() {
            // The request bounds itself; the margin only covers a runtime too busy to poll it.
            let bound = Duration::from_millis(FETCH_TIMEOUT_MS + 1_000);
            if !matches!(timeout(bound, finished.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
        !self.gate.lock().last_failed && self.known.read().generation > 0
    }

    /// A receiver that sees the end of the request under way, or `None` when it is too early for a new one.
    fn start(self: &Arc<Self>) -> Option<watch::Receiver<u64>> {
        let mut gate = self.gate.lock();
        let now = (self.clock)();
        if !gate.running {
            // `abs_diff`, so that a clock set back cannot stop refreshes until it has caught up.
            if gate
                .last_start_s
                .is_some_and(|last| now.abs_diff(last) < MIN_REFRESH_INTERVAL_S)
            {
                return None;
            }
            gate.running = true;
            gate.last_start_s = Some(now);
            let request = Request {
                jwks: Arc::clone(self),
                failed: true,
            };
            // Owner: the gate. The request ends within FETCH_TIMEOUT_MS, and its drop opens the gate.
            tokio::spawn(request.run());
        }
        Some(self.finished.subscribe())
    }

    fn apply(&self, fetched: Fetched) {
        let fresh_s = fetched
            .max_age_s
            .unwrap_or(DEFAULT_FRESH_S)
            .clamp(MIN_FRESH_S, MAX_FRESH_S);
        let mut known = self.known.write();
        *known = Known {
            keys: Arc::new(fetched.keys),
            generation: known.generation + 1,
            fresh_until_s: (self.clock)() + fresh_s,
        };
    }
}

/// The one request under way. Its drop opens the gate again, also when the task is cancelled or panics.
struct Request {
    jwks: Arc<Jwks>,
    failed: bool,
}

impl Request {
    async fn run(mut self) {
        self.jwks.refreshes.fetch_add(1, Ordering::Relaxed);
        let bound = Duration::from_millis(FETCH_TIMEOUT_MS);
        let outcome = timeout(bound, self.jwks.source.fetch())
            .await
            .unwrap_or(Err(JwksError::Timeout));
        match outcome {
            Ok(fetched) => {
                let keys = fetched.keys.len();
                self.jwks.apply(fetched);
                self.failed = false;
                tracing::debug!(keys, "the JWKS was read");
            }
            Err(reason) => {
                let kept = self.jwks.known().keys.len();
                tracing::warn!(%reason, kept, "the JWKS URL gave no keys; those known before stay in use");
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.failed {
            self.jwks.failures.fetch_add(1, Ordering::Relaxed);
        }
        let mut gate = self.jwks.gate.lock();
        gate.running = false;
        gate.last_failed = self.failed;
        // Under the lock: whoever subscribed while this ran is told, whoever comes later starts anew.
        self.jwks.finished.send_modify(|count| *count += 1);
    }
}
