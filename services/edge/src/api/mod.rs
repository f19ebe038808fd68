//! The HTTP API. Here are the calls of peers and their pages, each a file with its handler and a line here; those of an
//! application's servers are in `backend`.

mod asyncapi;
pub(crate) mod backend;
mod ice;
mod messages;
mod ready;

use std::sync::Arc;

use axum::{
    Router as Routes, middleware,
    routing::{get, post},
};
use utoipa_axum::router::OpenApiRouter;

use crate::state::Edge;

/// The calls of peers and their pages, without CORS.
pub(crate) fn routes() -> Routes<Arc<Edge>> {
    Routes::new()
        .route("/v1/ice", get(ice::get))
        .route("/v1/messages", post(messages::post))
        .route("/v1/ready", get(ready::get))
}

/// The calls of backends on the public port, which has `/v1/ice` already.
pub(crate) fn public_backend_routes(edge: &Arc<Edge>) -> Routes<Arc<Edge>> {
    counted(backend::public_calls(), edge)
}

/// The calls of backends on a port of their own.
pub(crate) fn backend_routes(edge: &Arc<Edge>) -> Routes<Arc<Edge>> {
    counted(backend::calls(), edge)
}

fn counted(calls: OpenApiRouter<Arc<Edge>>, edge: &Arc<Edge>) -> Routes<Arc<Edge>> {
    let count = middleware::from_fn_with_state(Arc::clone(edge), backend::count);
    let documents = Routes::new()
        .route("/v1/openapi.json", get(backend::openapi::get))
        .route("/v1/asyncapi.json", get(asyncapi::get));
    Routes::from(calls).route_layer(count).merge(documents)
}
