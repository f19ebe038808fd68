//! The operations port: liveness, readiness, metrics, drain. Never on the public address.

use std::sync::Arc;

use axum::{
    Json, Router as Routes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use switchboard_telemetry::Telemetry;
use tokio::sync::Notify;

use crate::readiness::Readiness;

/// What the operations port knows and can do.
pub(crate) struct Ops {
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) telemetry: Telemetry,
    /// Notified by `POST /drain`.
    pub(crate) drain: Arc<Notify>,
}

pub(crate) fn routes(ops: Ops) -> Routes {
    Routes::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/drain", post(drain))
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
    match ops.telemetry.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Starts the same drain as SIGTERM; the node stops when it is done.
async fn drain(State(ops): State<Arc<Ops>>) -> Response {
    ops.drain.notify_one();
    (StatusCode::ACCEPTED, "draining\n").into_response()
}
