//! `GET /v1/health` of the public port: whether a balancer should send clients here, for balancers that can check only the port
//! that they forward to. It needs no token, and says no more than a refused handshake would. Not here: why (`/readyz`).

use std::sync::Arc;

use axum::{Router as Routes, http::StatusCode, routing::get};

use crate::readiness::Readiness;

pub(crate) fn routes(readiness: Arc<Readiness>) -> Routes {
    let answer = move || {
        let is_ready = readiness.report().ready;
        async move {
            if is_ready {
                (StatusCode::OK, "ready\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
        }
    };
    Routes::new().route("/v1/health", get(answer))
}
