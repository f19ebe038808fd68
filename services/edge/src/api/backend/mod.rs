//! The backend API (docs/backend-api.md): what an application's servers do with a token of the role `backend`. A file for
//! each group of calls. `openapi` describes them from the annotations of their handlers.

mod caller;
mod failure;
pub(crate) mod ice;
mod input;
mod messages;
pub(crate) mod openapi;
pub(crate) mod places;
mod sender;
pub(crate) mod senders;

use std::sync::Arc;

use axum::{middleware, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{http_connection::KeepsConnection, state::Edge};

/// All calls, with their description.
pub(crate) fn calls() -> OpenApiRouter<Arc<Edge>> {
    let calls = own_paths().routes(routes!(ice::get_ice_servers));
    calls.layer(middleware::map_response(keep_connection))
}

/// The calls without the one whose address peers use too.
pub(crate) fn public_calls() -> OpenApiRouter<Arc<Edge>> {
    own_paths().layer(middleware::map_response(keep_connection))
}

fn own_paths() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new().routes(routes!(messages::send_to_peer))
}

/// A backend makes many calls over one connection; an error of one does not end the others.
async fn keep_connection(mut answer: Response) -> Response {
    answer.extensions_mut().insert(KeepsConnection);
    answer
}
