//! `GET /v1/ready`: what a handshake with the same token, origin and query would be answered. A browser shows every
//! refused handshake as 1006, so a page asks here why. It opens nothing, and counts as a connect.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{admission, state::Edge};

pub(super) async fn get(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match admission::admit(&edge, &parts, |_| Ok(())).await {
        Ok((admitted, ())) => {
            Json(json!({ "peer": admitted.grant.peer.peer_id(), "ready": true })).into_response()
        }
        Err(refusal) => refusal.counted(&edge).into_response(),
    }
}
