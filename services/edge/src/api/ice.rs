//! `GET /v1/ice`: ICE servers for the peer whose token the request carries.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::{admission, ice, state::Edge};

pub(super) async fn get(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match admission::verify(&edge, &parts).await {
        Ok(grant) => {
            let mut response = Json(ice::servers(&edge, &grant.peer)).into_response();
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.counted(&edge).into_response(),
    }
}
