//! The backend API (docs/backend-api.md): what an application's servers do with a token of the role `backend`. A file for
//! each group of calls. `openapi` describes them from the annotations of their handlers.

mod caller;
mod failure;
pub(crate) mod ice;
mod idempotency;
mod input;
mod messages;
pub(crate) mod openapi;
mod page;
mod peers;
pub(crate) mod places;
mod revocations;
mod room_messages;
mod rooms;
mod sender;
pub(crate) mod senders;
mod sending;

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{http_connection::KeepsConnection, state::Edge};

/// All calls, with their description.
pub(crate) fn calls() -> OpenApiRouter<Arc<Edge>> {
    own_paths().routes(routes!(ice::get_ice_servers))
}

/// The calls without the one whose address peers use too.
pub(crate) fn public_calls() -> OpenApiRouter<Arc<Edge>> {
    own_paths()
}

fn own_paths() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(peers::get_peer, peers::kick_peer))
        .routes(routes!(revocations::revoke, revocations::list_revocations))
        .routes(routes!(messages::send_to_peer))
        .routes(routes!(rooms::list_rooms))
        .routes(routes!(rooms::get_room))
        .routes(routes!(rooms::remove_member))
        .routes(routes!(room_messages::send_to_room))
}

/// Counts a call. Its connection stays also after an error: a backend makes many calls over one.
pub(crate) async fn count(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let mut answer = next.run(request).await;
    edge.telemetry
        .api_call(answer.status().as_u16(), started.elapsed());
    answer.extensions_mut().insert(KeepsConnection);
    answer
}
