//! Whether a node should get new connections, and why not. Not liveness, which never depends on Redis.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::Serialize;
use switchboard_core::{BusState, Router};
use switchboard_telemetry::ReloadPart;

use crate::reload::Reloader;

/// A node's readiness.
pub(crate) struct Readiness {
    router: Arc<Router>,
    reloader: Arc<Reloader>,
    is_draining: AtomicBool,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) ready: bool,
    /// Why not; empty when ready.
    pub(crate) reasons: Vec<Reason>,
    /// What needs attention although the node works.
    warnings: Vec<Reason>,
    /// Channels that should be subscribed, and those that are.
    subscriptions: Subscriptions,
}

#[derive(Debug, Serialize)]
struct Subscriptions {
    desired: usize,
    confirmed: usize,
}

/// One reason not to be ready, or one warning.
#[derive(Debug, Serialize)]
pub(crate) struct Reason {
    reason: &'static str,
    detail: String,
}

impl Report {
    /// Why the node is not ready, and what else needs attention: `<reason>: <detail>`.
    pub(crate) fn problems(&self) -> Vec<String> {
        let all = self.reasons.iter().chain(&self.warnings);
        all.map(|reason| format!("{}: {}", reason.reason, reason.detail))
            .collect()
    }
}

fn stale((part, problem): (ReloadPart, String)) -> Reason {
    Reason {
        reason: "reload-failed",
        detail: format!(
            "{}: the earlier contents of its files stay in use: {problem}",
            part.as_str()
        ),
    }
}

impl Readiness {
    pub(crate) fn new(router: Arc<Router>, reloader: Arc<Reloader>) -> Self {
        Self {
            router,
            reloader,
            is_draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_draining(&self, is_draining: bool) {
        self.is_draining.store(is_draining, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> Report {
        let bus = self.router.bus();
        let mut reasons = Vec::new();
        // All nodes get the same files: a bad one must not make all of them unready at once.
        let mut warnings: Vec<_> = self.reloader.problems().map(stale).collect();
        if self.is_draining.load(Ordering::Relaxed) {
            reasons.push(Reason {
                reason: "draining",
                detail: "the node drains; POST /undrain ends that, unless the node is stopping".into(),
            });
        }
        let reason = match bus.state {
            BusState::Up => None,
            // All nodes see the same outage: without them, the peers of the other servers could not connect.
            BusState::Degraded => {
                warnings.push(Reason {
                    reason: "bus-degraded",
                    detail: bus.detail.clone(),
                });
                None
            }
            BusState::Connecting => Some("starting"),
            BusState::Down => Some("bus-down"),
            BusState::Deaf => Some("bus-deaf"),
            BusState::Refusing => Some("bus-refused"),
        };
        if let Some(reason) = reason {
            reasons.push(Reason {
                reason,
                detail: bus.detail,
            });
        }
        if !self.router.revocations().are_known() {
            reasons.push(Reason {
                reason: "revocations-unknown",
                detail:
                    "the node has not read the revoked tokens from the bus yet, and takes no token before"
                        .into(),
            });
        }
        let subscriptions = Subscriptions {
            desired: bus.desired,
            confirmed: bus.confirmed,
        };
        Report {
            ready: reasons.is_empty(),
            reasons,
            warnings,
            subscriptions,
        }
    }
}
