//! What every part of the public port shares. Not its routes (`routes`), not its bounds (`limits`).

use std::sync::Arc;

use switchboard_auth::{IceServers, Verifier};
use switchboard_core::Router;
use switchboard_telemetry::Telemetry;
use tokio_util::task::TaskTracker;

use crate::{config::EdgeConfig, limits::AdmissionLimits};

/// The public port of a node.
pub struct Edge {
    pub(crate) router: Arc<Router>,
    pub(crate) verifier: Verifier,
    pub(crate) ice: IceServers,
    pub(crate) telemetry: Telemetry,
    pub(crate) config: EdgeConfig,
    pub(crate) limits: Arc<AdmissionLimits>,
    /// The tasks of all connections: axum's graceful shutdown does not cover upgraded ones.
    pub(crate) connections: TaskTracker,
}

impl Edge {
    /// The public port in front of `router`.
    #[must_use]
    pub fn new(
        router: Arc<Router>,
        verifier: Verifier,
        ice: IceServers,
        telemetry: Telemetry,
        config: EdgeConfig,
    ) -> Arc<Self> {
        telemetry.connections_limit(config.max_connections);
        let limits = AdmissionLimits::new(config.max_connections, config.connects_per_second);
        Arc::new(Self {
            router,
            verifier,
            ice,
            telemetry,
            config,
            limits,
            connections: TaskTracker::new(),
        })
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.limits.open_connections()
    }

    /// From now on new connections are refused, or taken again.
    pub fn refuse_new(&self, refuse: bool) {
        self.limits.refuse_new(refuse);
    }
}
