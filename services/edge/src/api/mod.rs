//! The HTTP API for peers and their pages: each call is a file with its handler, and a line here.

mod ice;
mod messages;
mod ready;

use std::sync::Arc;

use axum::{
    Router as Routes,
    routing::{get, post},
};

use crate::state::Edge;

/// The routes of the API, without CORS.
pub(crate) fn routes() -> Routes<Arc<Edge>> {
    Routes::new()
        .route("/v1/ice", get(ice::get))
        .route("/v1/messages", post(messages::post))
        .route("/v1/ready", get(ready::get))
}
