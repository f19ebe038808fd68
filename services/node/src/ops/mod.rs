//! The operations port: liveness, readiness, metrics, status, drain and undrain, webhooks. Never on the public address. Not here: who may
//! ask (`guard`), and how connections are accepted (`listener`).

mod guard;
mod listener;
mod webhooks;

use std::sync::Arc;

use axum::{
    Json, Router as Routes,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use parking_lot::RwLock;
use switchboard_auth::Verifier;
use switchboard_core::Router;
use switchboard_telemetry::Telemetry;
use switchboard_webhooks::Webhooks;
use tokio::sync::watch;

use crate::{
    readiness::Readiness,
    status::StatusSource,
    wanted::{AlreadyStopping, Wanted, want},
};

pub use guard::OpsAccess;
pub(crate) use listener::serve;

/// What the handlers of the operations port share.
pub(crate) struct Ops {
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) router: Arc<Router>,
    pub(crate) verifier: Verifier,
    pub(crate) telemetry: Telemetry,
    pub(crate) status: Arc<StatusSource>,
    /// The state in which the operator wants the node.
    pub(crate) wanted: watch::Sender<Wanted>,
}

/// The routes of the port, for those whom `access` lets in.
pub(crate) fn routes(ops: Ops, access: Arc<RwLock<OpsAccess>>, webhooks: Option<Arc<Webhooks>>) -> Routes {
    let telemetry = ops.telemetry.clone();
    let guard = Arc::new(guard::Guard { access, telemetry });
    Routes::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/drain", post(drain))
        .route("/undrain", post(undrain))
        .with_state(Arc::new(ops))
        .merge(webhooks::routes(webhooks))
        .layer(middleware::from_fn_with_state(guard, guard::check))
}

async fn readyz(State(ops): State<Arc<Ops>>) -> Response {
    let report = ops.readiness.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
}

async fn metrics(State(ops): State<Arc<Ops>>) -> Response {
    ops.router.update_gauges();
    let keys = ops.verifier.stats();
    ops.telemetry.jwks(keys.jwks_failures, keys.jwks_keys);
    match ops.telemetry.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(State(ops): State<Arc<Ops>>) -> Response {
    Json(ops.status.status()).into_response()
}

/// Moves all clients to other nodes, as SIGTERM does, but the node stays, not ready, until `/undrain`.
async fn drain(State(ops): State<Arc<Ops>>) -> Response {
    ops.want(Wanted::Drained, "draining\n")
}

/// Ends a drain, also one that is under way: clients that were asked to move may stay.
async fn undrain(State(ops): State<Arc<Ops>>) -> Response {
    ops.want(Wanted::Serving, "serving\n")
}

impl Ops {
    fn want(&self, wanted: Wanted, answer: &'static str) -> Response {
        match want(&self.wanted, wanted) {
            Ok(()) => (StatusCode::ACCEPTED, answer).into_response(),
            Err(AlreadyStopping) => {
                let problem = "the node is stopping; that cannot be undone\n";
                (StatusCode::CONFLICT, problem).into_response()
            }
        }
    }
}
