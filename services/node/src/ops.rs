//! The operations port: liveness, readiness, metrics, drain and undrain. Never on the public address.

use std::sync::Arc;

use axum::{
    Json, Router as Routes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use switchboard_core::Router;
use switchboard_telemetry::Telemetry;
use tokio::sync::watch;

use crate::readiness::Readiness;

/// What is wanted of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Clients are served.
    Serving,
    /// Clients are moved to other nodes and kept away.
    Drained,
    /// The same, and then the process ends.
    Stopped,
}

/// What the operations port knows and can do.
pub(crate) struct Ops {
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) router: Arc<Router>,
    pub(crate) telemetry: Telemetry,
    /// What the operator wants of the node.
    pub(crate) wanted: watch::Sender<Wanted>,
}

pub(crate) fn routes(ops: Ops) -> Routes {
    Routes::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/drain", post(drain))
        .route("/undrain", post(undrain))
        .with_state(Arc::new(ops))
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
    match ops.telemetry.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Moves all clients to other nodes, as SIGTERM does, but the node stays, not ready, until `/undrain`.
async fn drain(State(ops): State<Arc<Ops>>) -> Response {
    ops.want(Wanted::Drained, "draining\n")
}

/// Ends a drain, also one that is under way: clients that were told to go may stay.
async fn undrain(State(ops): State<Arc<Ops>>) -> Response {
    ops.want(Wanted::Serving, "serving\n")
}

impl Ops {
    fn want(&self, wanted: Wanted, answer: &'static str) -> Response {
        let mut is_stopping = false;
        self.wanted.send_if_modified(|current| {
            is_stopping = *current == Wanted::Stopped;
            let is_new = !is_stopping && *current != wanted;
            if is_new {
                *current = wanted;
            }
            is_new
        });
        if is_stopping {
            let problem = "the node was told to stop; that cannot be taken back\n";
            return (StatusCode::CONFLICT, problem).into_response();
        }
        (StatusCode::ACCEPTED, answer).into_response()
    }
}
