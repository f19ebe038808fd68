//! What operators ask about webhooks: what waits, which events were given up, and to send these again.

use std::sync::Arc;

use axum::{
    Json, Router as Routes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_webhooks::{UnknownEndpoint, Webhooks};

/// Dead events that one request lists or replays, at most.
const MAX_EVENTS: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    #[serde(default = "most")]
    limit: usize,
}

const fn most() -> usize {
    MAX_EVENTS
}

/// The webhooks, if an endpoint is configured.
type Hooks = State<Option<Arc<Webhooks>>>;

pub(super) fn routes(webhooks: Option<Arc<Webhooks>>) -> Routes {
    Routes::new()
        .route("/webhooks", get(status))
        .route("/webhooks/{endpoint}/dead", get(dead))
        .route("/webhooks/{endpoint}/replay", post(replay))
        .with_state(webhooks)
}

async fn status(State(webhooks): Hooks) -> Response {
    let Some(webhooks) = webhooks else {
        return Json(json!({ "endpoints": [] })).into_response();
    };
    let endpoints = webhooks.status().into_iter().map(|endpoint| {
        json!({
            "name": endpoint.name,
            "events": endpoint.backlog.events,
            "oldest_ms": endpoint.backlog.oldest_ms,
            "dead_events": endpoint.backlog.dead,
        })
    });
    let endpoints: Vec<_> = endpoints.collect();
    let outlives_process = webhooks.outlives_process();
    Json(json!({ "endpoints": endpoints, "outlives_process": outlives_process })).into_response()
}

async fn dead(
    State(webhooks): Hooks,
    Path(endpoint): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let dead = found(&webhooks)?
        .dead(&endpoint, page.limit.min(MAX_EVENTS))
        .await??;
    let dead = dead.into_iter().map(|dead| {
        // The body is JSON of this cluster.
        let event: Value = serde_json::from_str(&dead.event.body).unwrap_or_default();
        json!({ "id": dead.event.id, "reason": dead.reason, "event": event })
    });
    Ok(Json(json!({ "dead_events": dead.collect::<Vec<_>>() })))
}

async fn replay(
    State(webhooks): Hooks,
    Path(endpoint): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let replayed = found(&webhooks)?
        .replay(&endpoint, page.limit.min(MAX_EVENTS))
        .await??;
    tracing::info!(endpoint, replayed, "dead events of a webhook are sent again");
    Ok(Json(json!({ "replayed": replayed })))
}

fn found(webhooks: &Option<Arc<Webhooks>>) -> Result<&Webhooks, UnknownEndpoint> {
    webhooks.as_deref().ok_or(UnknownEndpoint)
}

/// Why there is no answer.
enum Problem {
    Unknown(UnknownEndpoint),
    Bus(String),
}

impl From<UnknownEndpoint> for Problem {
    fn from(unknown: UnknownEndpoint) -> Self {
        Self::Unknown(unknown)
    }
}

impl From<String> for Problem {
    fn from(why: String) -> Self {
        Self::Bus(why)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown(unknown) => (StatusCode::NOT_FOUND, format!("{unknown}\n")).into_response(),
            Self::Bus(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        }
    }
}
