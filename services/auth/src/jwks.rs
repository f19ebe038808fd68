//! The keys of a JWKS URL, and when to request them again. Not here: the request (`jwks_fetch`).
//!
//! Concurrency: readers take a snapshot and never wait. At most one request runs (`RefreshState::running`), in its own
//! task. A caller that stops waiting therefore does not cancel it for others. Callers that need its result wait on a
//! watch channel. They subscribe under the state's lock, so they miss no result. Requests start at least
//! [`MIN_REFRESH_INTERVAL_S`] apart, whatever tokens arrive.

use std::{
    path::Path,
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
    jwks_fetch::{FETCH_TIMEOUT_MS, Fetched, JwksError, JwksSource},
    key_set::KeySet,
};

/// The least time between the starts of two requests, in seconds.
pub const MIN_REFRESH_INTERVAL_S: u64 = 10;

/// How long keys are fresh without a `max-age`, in seconds. Stale keys stay in use while a request in the background
/// replaces them.
pub const DEFAULT_FRESH_S: u64 = 300;

/// The shortest `max-age` honoured, in seconds.
pub const MIN_FRESH_S: u64 = 60;

/// The longest `max-age` honoured, in seconds. A withdrawn key is unusable here after this time.
pub const MAX_FRESH_S: u64 = 3_600;

/// The keys of one JWKS URL and their refresh.
pub(crate) struct Jwks {
    source: JwksSource,
    clock: Clock,
    known: RwLock<KnownKeys>,
    refresh: Mutex<RefreshState>,
    /// Counts finished requests.
    finished: watch::Sender<u64>,
    refreshes: AtomicU64,
    failures: AtomicU64,
}

/// The keys of the last good answer.
#[derive(Clone)]
pub(crate) struct KnownKeys {
    pub(crate) keys: Arc<KeySet>,
    /// Counts good answers; 0 before the first.
    pub(crate) generation: u64,
    fresh_until_s: u64,
}

#[derive(Default)]
struct RefreshState {
    running: bool,
    last_start_s: Option<u64>,
    last_failed: bool,
}

impl Jwks {
    pub(crate) fn new(url: &str, ca_file: Option<&Path>, clock: Clock) -> Result<Arc<Self>, AuthConfigError> {
        Ok(Arc::new(Self {
            source: JwksSource::new(url, ca_file)?,
            clock,
            known: RwLock::new(KnownKeys {
                keys: Arc::default(),
                generation: 0,
                fresh_until_s: 0,
            }),
            refresh: Mutex::default(),
            finished: watch::Sender::new(0),
            refreshes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }))
    }

    /// The keys known now. Never waits for the network.
    pub(crate) fn known(&self) -> KnownKeys {
        self.known.read().clone()
    }

    pub(crate) fn refreshes(&self) -> u64 {
        self.refreshes.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Starts a request in the background when the keys are no longer fresh.
    pub(crate) fn refresh_if_stale(self: &Arc<Self>, known: &KnownKeys) {
        if known.generation > 0 && (self.clock)() >= known.fresh_until_s {
            drop(self.start_or_join());
        }
    }

    /// Starts a request or waits for the running one, unless the last one started too recently. Returns whether there
    /// are keys of this moment: only then is a missing key really unknown.
    ///
    /// # Errors
    /// Otherwise, with the seconds until the next request may start.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), u64> {
        let Some(mut finished) = self.start_or_join() else {
            return Err(self.next_request_in_s());
        };
        // The request has its own timeout. The margin covers a runtime that is too busy to poll it.
        let bound = Duration::from_millis(FETCH_TIMEOUT_MS + 1_000);
        let has_ended = matches!(timeout(bound, finished.changed()).await, Ok(Ok(())));
        if has_ended && !self.refresh.lock().last_failed {
            Ok(())
        } else {
            Err(self.next_request_in_s())
        }
    }

    /// Seconds until a new request may start; at least one.
    fn next_request_in_s(&self) -> u64 {
        let since_s = self
            .refresh
            .lock()
            .last_start_s
            .map(|last| (self.clock)().abs_diff(last));
        MIN_REFRESH_INTERVAL_S
            .saturating_sub(since_s.unwrap_or_default())
            .max(1)
    }

    /// A receiver for the end of the running request; `None` if it is too early for a new one.
    fn start_or_join(self: &Arc<Self>) -> Option<watch::Receiver<u64>> {
        let mut refresh = self.refresh.lock();
        let now = (self.clock)();
        if !refresh.running {
            // `abs_diff`: a clock that was set back must not stop refreshes.
            if refresh
                .last_start_s
                .is_some_and(|last| now.abs_diff(last) < MIN_REFRESH_INTERVAL_S)
            {
                return None;
            }
            refresh.running = true;
            refresh.last_start_s = Some(now);
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
        *known = KnownKeys {
            keys: Arc::new(fetched.keys),
            generation: known.generation + 1,
            fresh_until_s: (self.clock)() + fresh_s,
        };
    }
}

/// The running request. Its drop allows the next one, also when the task is cancelled or panics.
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
                let (keys, dropped) = (fetched.keys.len(), fetched.dropped.clone());
                self.jwks.apply(fetched);
                self.failed = false;
                match dropped.as_str() {
                    "" => tracing::debug!(keys, "JWKS read"),
                    _ => tracing::warn!(keys, dropped, "JWKS read; some of its keys cannot be used"),
                }
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
        let mut refresh = self.jwks.refresh.lock();
        refresh.running = false;
        refresh.last_failed = self.failed;
        // Under the lock: all subscribers of this request are notified, and later callers start a new one.
        self.jwks.finished.send_modify(|count| *count += 1);
    }
}
