//! What every part of the public port shares. Not its routes (`routes`), not its bounds (`limits`).

use std::sync::Arc;

use switchboard_auth::{IceServers, Verifier};
use switchboard_core::{CallRecords, Router};
use switchboard_telemetry::Telemetry;
use tokio_util::task::TaskTracker;

use crate::{
    admission::refused_origins::RefusedOrigins,
    api::backend::{places::CallPlaces, senders::Senders},
    commands::relay::HttpRelay,
    config::EdgeConfig,
    limits::{AdmissionLimits, pace::ConnectPace, places::HandshakePlaces, request_pace::RequestPace},
};

/// The public port of a node.
pub struct Edge {
    pub(crate) router: Arc<Router>,
    pub(crate) verifier: Verifier,
    pub(crate) ice: IceServers,
    pub(crate) telemetry: Telemetry,
    pub(crate) config: EdgeConfig,
    pub(crate) limits: Arc<AdmissionLimits>,
    pub(crate) pace: ConnectPace,
    pub(crate) requests: RequestPace,
    pub(crate) places: Arc<HandshakePlaces>,
    pub(crate) refused_origins: RefusedOrigins,
    pub(crate) calls: Arc<CallPlaces>,
    pub(crate) senders: Senders,
    pub(crate) call_records: Arc<dyn CallRecords>,
    /// Commands that come over HTTP, here and for sessions of other nodes.
    pub(crate) relay: Arc<HttpRelay>,
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
        call_records: Arc<dyn CallRecords>,
        config: EdgeConfig,
    ) -> Arc<Self> {
        telemetry.connections_limit(config.max_connections);
        if config.allowed_origins.allows_null() {
            tracing::warn!("server.allowed_origins has `null`, which every sandboxed page of any site has");
        }
        let limits = AdmissionLimits::new(config.max_connections);
        let pace = ConnectPace::new(config.connects_per_second, config.peer_connects_per_second);
        let requests = RequestPace::new(config.address_requests_per_second);
        let places = HandshakePlaces::new(config.max_handshakes);
        let connections = TaskTracker::new();
        let calls = CallPlaces::new(config.api_calls_per_tenant);
        let relay = HttpRelay::new(&router, connections.clone());
        Arc::new(Self {
            relay,
            router,
            verifier,
            ice,
            telemetry,
            config,
            limits,
            pace,
            requests,
            places,
            refused_origins: RefusedOrigins::default(),
            calls,
            senders: Senders::default(),
            call_records,
            connections,
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
