//! What every handler of the public port shares.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{Router as Routes, routing::get};
use http::{HeaderValue, Method, header};
use switchboard_auth::{IceServers, Verifier};
use switchboard_core::Router;
use switchboard_telemetry::Telemetry;
use tokio_util::task::TaskTracker;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{EdgeConfig, ice, origin, websocket};

/// The public port of a node.
pub struct Edge {
    pub(crate) router: Arc<Router>,
    pub(crate) verifier: Verifier,
    pub(crate) ice: IceServers,
    pub(crate) telemetry: Telemetry,
    pub(crate) config: EdgeConfig,
    /// Upgraded sockets: axum's graceful shutdown does not cover them.
    pub(crate) connections: TaskTracker,
    open: AtomicUsize,
    refusing: AtomicBool,
}

impl Edge {
    /// The doors in front of `router`.
    #[must_use]
    pub fn new(
        router: Arc<Router>,
        verifier: Verifier,
        ice: IceServers,
        telemetry: Telemetry,
        config: EdgeConfig,
    ) -> Arc<Self> {
        let connections = TaskTracker::new();
        let (open, refusing) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self {
            router,
            verifier,
            ice,
            telemetry,
            config,
            connections,
            open,
            refusing,
        })
    }

    /// The routes of the public port; the node may merge its own (the demo page) before serving them.
    pub fn routes(self: &Arc<Self>) -> Routes {
        let allowed = self.config.allowed_origins.clone();
        let cors = CorsLayer::new()
            .allow_methods([Method::GET])
            .allow_headers([header::AUTHORIZATION])
            .allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _| {
                origin
                    .to_str()
                    .is_ok_and(|origin| origin::is_listed(origin, &allowed))
            }));
        Routes::new()
            .route("/v1/ice", get(ice::get))
            .layer(cors)
            .route("/v1/ws", get(websocket::connect))
            .with_state(Arc::clone(self))
    }

    /// Upgraded connections at this moment.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether new connections are sent elsewhere from now on.
    pub fn refuse_new(&self, refuse: bool) {
        self.refusing.store(refuse, Ordering::Relaxed);
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    /// Takes one of the places for connections, while there is one.
    pub(crate) fn take_place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        // Made before the check, so that it gives the place back in either case.
        let place = Place(Arc::clone(self));
        (taken < self.config.max_connections).then_some(place)
    }
}

/// One of the node's places for connections; given back when dropped.
pub(crate) struct Place(Arc<Edge>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
