//! The routes of the public port and of the backend API's own port, and which pages may use them. On top of everything: no other
//! module knows a path.

use std::sync::Arc;

use axum::{
    Router as Routes,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, Method, header};
use switchboard_protocol::codec::native::Native;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    admission, api,
    state::Edge,
    transport::{poll, sse, websocket},
};

/// The routes of the public port; the node may merge its own (the demo page) before it serves them.
pub fn routes(edge: &Arc<Edge>) -> Routes {
    let mut routes = Routes::new().merge(
        api::routes()
            .route("/v1/events", get(sse::connect))
            .route("/v1/poll", get(poll::poll))
            .layer(cors(edge)),
    );
    if edge.config.serves_backend_api {
        routes = routes.merge(api::public_backend_routes(edge));
    }
    routes
        .route("/v1/ws", get(websocket::connect::<Native>))
        .with_state(Arc::clone(edge))
}

/// The routes of the backend API's own port.
pub fn backend_routes(edge: &Arc<Edge>) -> Routes {
    api::backend_routes(edge).with_state(Arc::clone(edge))
}

/// Puts routes of the node under the rules for pages: those of allowed origins can read the answers, and others are refused.
pub fn for_pages(edge: &Arc<Edge>, routes: Routes) -> Routes {
    routes
        .layer(middleware::from_fn_with_state(
            Arc::clone(edge),
            refuse_other_pages,
        ))
        .layer(cors(edge))
}

async fn refuse_other_pages(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match admission::check_origin(&edge, &parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.counted(&edge).into_response(),
    }
}

/// Lets the pages of listed origins read the API's answers.
fn cors(edge: &Edge) -> CorsLayer {
    let allowed = edge.config.allowed_origins.clone();
    CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER, poll::BATCH])
        .allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _| {
            origin.to_str().is_ok_and(|origin| allowed.lists(origin))
        }))
}
