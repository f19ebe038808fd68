//! The keys of a JWKS URL, and when to request them again. Not here: the request (`jwks_fetch`).
//!
//! Concurrency: readers take a snapshot and never wait. At most one request runs (`RefreshState::running`), in its own
//! task. A caller that stops waiting therefore does not cancel it for others. Callers that need its result wait on a
//! watch channel. They subscribe under the state's lock, so they miss no result. Requests start at least
//! [`MIN_REFRESH_INTERVAL_S`] apart, whatever tokens arrive.

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
    Clock, TokenError,
    jwks_error::{FETCH_TIMEOUT_MS, JwksError},
    jwks_fetch::{Fetched, JwksSource},
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

/// Why there are no keys of this moment.
pub(crate) struct NoRefresh {
    /// The last request, less than [`MIN_REFRESH_INTERVAL_S`] ago, gave keys.
    has_recent_keys: bool,
    /// Seconds until a new request may start; at least one.
    retry_after_s: u64,
}

impl NoRefresh {
    /// The answer to a token that is refused with `missing` under the known keys. Without a `kid` it was tried with all of
    /// them: keys of a moment ago settle it. A `kid` that is not known may be newer than they are.
    pub(crate) fn refusal(&self, missing: TokenError, has_kid: bool) -> TokenError {
        match self.has_recent_keys && !has_kid {
            true => missing,
            false => TokenError::KeysUnavailable {
                retry_after_s: self.retry_after_s,
            },
        }
    }
}

#[derive(Default)]
struct RefreshState {
    running: bool,
    last_start_s: Option<u64>,
    last_failed: bool,
}

impl Jwks {
    pub(crate) fn new(source: JwksSource, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            source,
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
        })
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
    /// Otherwise, why not.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), NoRefresh> {
        let Some(mut finished) = self.start_or_join() else {
            let has_recent_keys = !self.refresh.lock().last_failed;
            return Err(self.no_refresh(has_recent_keys));
        };
        // The request has its own timeout. The margin covers a runtime that is too busy to poll it.
        let bound = Duration::from_millis(FETCH_TIMEOUT_MS + 1_000);
        let has_ended = matches!(timeout(bound, finished.changed()).await, Ok(Ok(())));
        if has_ended && !self.refresh.lock().last_failed {
            Ok(())
        } else {
            Err(self.no_refresh(false))
        }
    }

    fn no_refresh(&self, has_recent_keys: bool) -> NoRefresh {
        let since_s = self
            .refresh
            .lock()
            .last_start_s
            .map(|last| (self.clock)().abs_diff(last));
        NoRefresh {
            has_recent_keys,
            retry_after_s: MIN_REFRESH_INTERVAL_S
                .saturating_sub(since_s.unwrap_or_default())
                .max(1),
        }
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
        let outcome = timeout(bound, self.jwks.source.fetch((self.jwks.clock)()))
            .await
            .unwrap_or(Err(JwksError::Timeout));
        let issuer = self.jwks.source.at.as_str();
        match outcome {
            Ok(fetched) => {
                let (keys, dropped) = (fetched.keys.len(), fetched.dropped.clone());
                self.failed = false;
                self.jwks.apply(fetched);
                match dropped.as_str() {
                    "" => tracing::debug!(issuer, keys, "JWKS read"),
                    _ => tracing::warn!(
                        issuer,
                        keys,
                        dropped,
                        "JWKS read; some of its keys cannot be used"
                    ),
                }
            }
            Err(reason) => {
                let kept = self.jwks.known().keys.len();
                tracing::warn!(issuer, %reason, kept, "the JWKS URL gave no keys; those known before stay in use");
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
