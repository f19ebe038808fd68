//! The demo page, and tokens for it and for other pages in development. Not for production: every client that reaches it gets
//! a token, so configuration allows it only on loopback addresses.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router as Routes,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rand::seq::IndexedRandom as _;
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use switchboard_auth::Verifier;
use switchboard_edge::Edge;
use switchboard_protocol::{Claims, PeerId, Secret};

#[derive(RustEmbed)]
#[folder = "../../clients/web/demo/page"]
struct Page;

/// How long a development token is valid, in seconds.
const TOKEN_TTL_S: u64 = 3_600;

/// The page's files come from the node itself; cameras, ICE servers and WebSockets of other nodes are allowed too.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss: http: https:; \
     media-src blob: 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

const ADJECTIVES: [&str; 12] = [
    "amber", "brave", "calm", "deft", "eager", "fleet", "gentle", "happy", "keen", "lucid", "merry", "quiet",
];
const ANIMALS: [&str; 12] = [
    "badger", "crane", "dolphin", "fox", "heron", "ibex", "lynx", "marten", "otter", "puffin", "raven",
    "seal",
];

/// The page at `/`, and tokens at `/dev/session` for it and for pages of allowed origins.
pub(crate) fn routes(edge: &Arc<Edge>, verifier: Verifier) -> Routes {
    let tokens = Routes::new()
        .route("/dev/session", get(session))
        .with_state(verifier);
    Routes::new()
        .route("/", get(|| async { file("index.html") }))
        .route(
            "/{file}",
            get(|Path(name): Path<String>| async move { file(&name) }),
        )
        .route(
            "/app/{*file}",
            get(|Path(name): Path<String>| async move { file(&format!("app/{name}")) }),
        )
        .merge(switchboard_edge::for_pages(edge, tokens))
}

fn file(name: &str) -> Response {
    let Some(file) = Page::get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let content_type = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, file.data).into_response()
}

#[derive(Deserialize)]
struct SessionQuery {
    peer: Option<String>,
}

#[derive(Serialize)]
struct DevSession {
    peer: PeerId,
    token: Secret,
    /// Complete, because a page of another port cannot resolve a path.
    ws_url: String,
}

async fn session(
    State(verifier): State<Verifier>,
    Query(query): Query<SessionQuery>,
    headers: HeaderMap,
) -> Response {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return (StatusCode::BAD_REQUEST, "a Host header is needed\n").into_response();
    };
    let name = query.peer.unwrap_or_else(random_name);
    let peer = match PeerId::new(&name) {
        Ok(peer) => peer,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("peer: {error}\n")).into_response(),
    };
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    // The secret may have changed since the last token.
    let Some(own) = verifier.own_issuer() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "no secret can sign tokens\n").into_response();
    };
    let claims = Claims {
        sub: name,
        iss: own.issuer,
        iat: Some(now_s),
        exp: now_s + TOKEN_TTL_S,
        ..Claims::default()
    };
    match own.minter.mint(&claims, own.audience.as_deref()) {
        Ok(token) => {
            let body = Json(DevSession {
                peer,
                token,
                ws_url: format!("ws://{host}/v1/ws"),
            });
            ([(header::CACHE_CONTROL, "no-store")], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn random_name() -> String {
    let mut rng = rand::rng();
    let adjective = ADJECTIVES.choose(&mut rng).unwrap_or(&"amber");
    let animal = ANIMALS.choose(&mut rng).unwrap_or(&"fox");
    format!("{adjective}-{animal}-{:04}", rand::random_range(0..10_000))
}
