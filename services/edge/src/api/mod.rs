//! The HTTP API. Here are the calls of peers and their pages, each a file with its handler and a line here; those of an
//! application's servers are in `backend`.

pub(crate) mod backend;
mod ice;
mod ready;

use std::sync::Arc;

use axum::{Router as Routes, routing::get};

use crate::state::Edge;

/// The calls of peers and their pages, without CORS.
pub(crate) fn routes() -> Routes<Arc<Edge>> {
    Routes::new()
        .route("/v1/ice", get(ice::get))
        .route("/v1/ready", get(ready::get))
}

/// The calls of backends on the public port, which has `/v1/ice` already.
pub(crate) fn public_backend_routes() -> Routes<Arc<Edge>> {
    Routes::from(backend::public_calls()).merge(documents())
}

/// The calls of backends on a port of their own.
pub(crate) fn backend_routes() -> Routes<Arc<Edge>> {
    Routes::from(backend::calls()).merge(documents())
}

/// The descriptions of this API.
fn documents() -> Routes<Arc<Edge>> {
    Routes::new().route("/v1/openapi.json", get(backend::openapi::get))
}
