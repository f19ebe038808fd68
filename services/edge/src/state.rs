//! What every handler of the public port shares.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router as Routes, routing::get};
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
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
    pace: DefaultDirectRateLimiter,
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
        telemetry.connections_limit(config.max_connections);
        let connections = TaskTracker::new();
        // A pace of zero would lock everybody out; the smallest is one.
        let per_second = NonZeroU32::new(config.connects_per_second).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_add(per_second.get()));
        let pace = RateLimiter::direct(quota);
        let (open, refusing) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self {
            router,
            verifier,
            ice,
            telemetry,
            config,
            connections,
            pace,
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

    /// Whether one more client may come in now; else after how long.
    pub(crate) fn may_come_in(&self) -> Result<(), Duration> {
        let clock = DefaultClock::default();
        self.pace
            .check()
            .map_err(|not_until| not_until.wait_time_from(clock.now()))
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
