//! `GET /v1/ice`: ICE servers for the peer whose token the request carries. With `?peer=` it is a call of a backend.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use super::backend;
use crate::{
    admission::{self, query, region},
    ice,
    state::Edge,
};

pub(super) async fn get(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if edge.config.serves_backend_api && query::value(&parts.uri, "peer").is_some() {
        return backend::ice::answer(&edge, parts).await.into_response();
    }
    match admission::verify(&edge, &parts).await {
        Ok(grant) => {
            let mut response = Json(ice::servers(
                &edge,
                region::choose(&edge, &grant, &parts),
                &grant.peer,
            ))
            .into_response();
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.counted(&edge).into_response(),
    }
}
